import { priorities, type Priority } from '@diq/contracts/priority.ts';
import { percentile } from '../support/statistics.ts';
import { firstOfIncidents, slotUses, waitsOf, type SlotUse, type Wait } from './judge-waits.ts';
import type { Replayed } from './replay.ts';
import type { System } from './replay-world.ts';

/** A wait in hours; `isOpen`: at least so long, since it had not ended with the trace. */
export interface WaitFigure {
  hours: number;
  isOpen: boolean;
}

export interface GroupFigures {
  requests: number;
  median: WaitFigure;
  p95: WaitFigure;
}

/** What one system did with one trace. */
export interface SystemFigures {
  /** Shares of the true positives that began within so long. `undefined`: the trace tells no truth. */
  truePositives: Within | undefined;
  /** The same of the first machine of each incident that is one. */
  firstMachines: Within | undefined;
  byPriority: Record<Priority, GroupFigures>;
  bySource: Record<string, GroupFigures>;
  longest: WaitFigure;
  neverStarted: number;
  requests: number;
  slots: Record<SlotUse, number>;
  throttled: number;
  /** Jain's index of the sources' shares of requests that began within four hours: 1 is equal. */
  fairness: number;
}

/** Of so many that arrived early enough; `within[hours]` is a share. */
export interface Within {
  count: number;
  within: Record<(typeof limitsHours)[number], number>;
}

export const limitsHours = [0.5, 1, 4] as const;

export function figuresOf({ trace, calls: all }: Replayed, system: System): SystemFigures {
  const calls = all[system].filter(({ atSeconds }) => atSeconds <= trace.hours * 3_600);
  const waits = waitsOf(trace, calls);
  const truePositives = waits.filter(({ request }) => request.truth === 'true_positive');
  const sources = [...new Set(waits.map(({ request }) => request.source))].toSorted();
  const groupOf = (isIn: (wait: Wait) => boolean) => groupFigures(waits.filter(isIn));
  return {
    truePositives: withinOf(truePositives, trace.hours),
    firstMachines: withinOf(firstOfIncidents(truePositives), trace.hours),
    byPriority: Object.fromEntries(
      priorities.map((one) => [one, groupOf(({ request }) => request.priority === one)]),
    ) as Record<Priority, GroupFigures>,
    bySource: Object.fromEntries(
      sources.map((one) => [one, groupOf(({ request }) => request.source === one)]),
    ),
    longest: waitAt(waits, 1),
    neverStarted: waits.filter(({ isOpen }) => isOpen).length,
    requests: waits.length,
    slots: slotUses(trace, calls),
    throttled: calls.filter(({ status }) => status === 429).length,
    fairness: jain(
      sources.map((one) =>
        shareWithin(
          waits.filter(({ request }) => request.source === one),
          4,
        ),
      ),
    ),
  };
}

/** Requests that came so late that the trace ended before their time was over are left out. */
function withinOf(waits: readonly Wait[], hours: number): Within | undefined {
  if (waits.length === 0) return undefined;
  const early = (limit: number) =>
    waits.filter(({ request }) => request.atSeconds <= (hours - limit) * 3_600);
  const within = limitsHours.map((limit) => [limit, shareWithin(early(limit), limit)] as const);
  return { count: waits.length, within: Object.fromEntries(within) as Within['within'] };
}

function shareWithin(waits: readonly Wait[], limitHours: number): number {
  if (waits.length === 0) return Number.NaN;
  return waits.filter(({ hours, isOpen }) => !isOpen && hours <= limitHours).length / waits.length;
}

function groupFigures(waits: readonly Wait[]): GroupFigures {
  return { requests: waits.length, median: waitAt(waits, 0.5), p95: waitAt(waits, 0.95) };
}

/** Nearest rank; a wait that goes on is longer than every one that has ended and is not shorter by now. */
function waitAt(waits: readonly Wait[], share: number): WaitFigure {
  const sorted = waits.toSorted((a, b) => a.hours - b.hours || Number(a.isOpen) - Number(b.isOpen));
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return { hours: found?.hours ?? Number.NaN, isOpen: found?.isOpen ?? false };
}

function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value ** 2, 0);
  return squares === 0 ? 1 : sum ** 2 / (values.length * squares);
}

/** How far `expectedStartAt`, as answered at arrival, was from the call. */
export interface EstimateFigures {
  count: number;
  /** As a share of the wait. */
  median: number;
  p95: number;
}

/** Waits up to so many hours, in classes. */
export const leadTimes = [1, 4, 24, Number.POSITIVE_INFINITY] as const;
/** A wait of less than a slot's distance is no wait to tell of. */
const leastSlots = 1;

/** Of all, and by how long the wait was; of requests that share another's call that one's was given. */
export function estimateFigures(
  { ends }: Pick<Replayed, 'ends'>,
  { hourMs, slotsPerHour }: { hourMs: number; slotsPerHour: number },
): { all: EstimateFigures; byLead: EstimateFigures[] } {
  const errors = ends.flatMap(({ expectedStartAtMs, dispatchedAtMs, sentAtMs, attempts, joined }) => {
    if (expectedStartAtMs === undefined || dispatchedAtMs === undefined || attempts === 0 || joined)
      return [];
    const waitMs = dispatchedAtMs - sentAtMs;
    if (waitMs < (leastSlots * hourMs) / slotsPerHour) return [];
    return [{ lead: waitMs / hourMs, error: Math.abs(dispatchedAtMs - expectedStartAtMs) / waitMs }];
  });
  const figures = (some: readonly { error: number }[]): EstimateFigures => {
    const values = some.map(({ error }) => error);
    return { count: values.length, median: percentile(values, 0.5), p95: percentile(values, 0.95) };
  };
  const byLead = leadTimes.map((most, i) =>
    figures(errors.filter(({ lead }) => lead <= most && lead > (leadTimes[i - 1] ?? 0))),
  );
  return { all: figures(errors), byLead };
}
