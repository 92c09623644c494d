import type { Ahead, Placement } from '@diq/contracts/placement.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import type { HeadStarts } from '@diq/queue/scheduling/order.ts';
import type { TaskPlace } from '@diq/queue/scheduling/task-place.ts';
import { isoTime } from '../estimates/forecast-start.ts';

export interface Placed {
  place: TaskPlace;
  /** Of the request that was first. */
  source: string | undefined;
  caller: string | undefined;
  ahead: Ahead;
}

export interface PlacementRules {
  headStartMs: HeadStarts;
  /** Slots that are kept for critical requests. */
  reserveForCritical: number;
}

/**
 * Why a call stands where it does, in figures and in words: these are shown on the status page as they are.
 *
 * @param asked the request whose document it stands in, where there is one
 */
export function describePlacement(
  { place, source, caller, ahead }: Placed,
  { headStartMs, reserveForCritical }: PlacementRules,
  asked?: string,
): Placement {
  const { priority, virtualStartMs, requests, notAfterMs, deferredToMs } = place;
  const headStart = headStartMs[priority];
  const kept = priority === 'critical' ? 0 : reserveForCritical;
  const figures = {
    priority,
    headStartSeconds: Math.floor(headStart / 1_000),
    flow: {
      caller: caller ?? null,
      source: source ?? null,
      virtualStart: new Date(virtualStartMs).toISOString(),
    },
    sortedBy: new Date(virtualStartMs - headStart).toISOString(),
    requests,
    ...timeAs('notAfter', notAfterMs),
    ...promotionOf(place),
    ...timeAs('deferredUntil', deferredToMs),
    ahead,
    keptForCritical: kept,
  };
  return { ...figures, why: reasonsFor(figures, asked) };
}

function timeAs<Name extends 'notAfter' | 'deferredUntil' | 'at'>(name: Name, timeMs: number | undefined) {
  const time = isoTime(timeMs);
  return (time === undefined ? {} : { [name]: time }) as Partial<Record<Name, string>>;
}

function promotionOf({ head, raisedBy, isRaisedOnMachine }: TaskPlace): Pick<Placement, 'promotedBy'> {
  if (head) {
    const { by, displayName, reason, atMs } = head;
    return {
      promotedBy: {
        ...(by === undefined ? {} : { by }),
        ...(displayName === undefined ? {} : { displayName }),
        ...(reason === undefined ? {} : { reason }),
        ...timeAs('at', atMs),
      },
    };
  }
  if (raisedBy === undefined) return {};
  return { promotedBy: { requestId: raisedBy, ...(isRaisedOnMachine && { isBehind: true }) } };
}

/** Sentences, the most important first. */
function reasonsFor(figures: Omit<Placement, 'why'>, asked: string | undefined): string[] {
  const { priority, headStartSeconds, flow, requests, notAfter, promotedBy, deferredUntil, ahead } = figures;
  const { keptForCritical } = figures;
  const isMoved = promotedBy !== undefined && promotedBy.requestId === undefined;
  const whose = flow.caller === null ? 'its caller' : flow.caller;
  return [
    ...(isMoved ? [`Moved to the head of the queue${by(promotedBy)}.`] : []),
    ...(isMoved
      ? []
      : [
          headStartSeconds === 0
            ? `Priority ${priority}: no head start.`
            : `Priority ${priority}: a head start of ${lengthOf(headStartSeconds)}.`,
          `By the fair share of ${whose}${flow.source === null ? '' : `, source ${flow.source}`}, it is due at ${shortTime(flow.virtualStart)}.`,
        ]),
    ...(promotedBy?.requestId === undefined
      ? []
      : [
          promotedBy.requestId === asked
            ? 'Moved up for this request.'
            : `Moved up for request ${promotedBy.requestId}, which ${promotedBy.isBehind ? 'waits behind it for its turn on the machine' : 'shares the call'}.`,
        ]),
    ...(deferredUntil === undefined || isMoved
      ? []
      : [`Deferred: ${whose} has used its fair share until ${shortTime(deferredUntil)}.`]),
    ...(requests === 1 ? [] : [`${requests} requests share the call.`]),
    aheadInWords(ahead),
    ...(keptForCritical === 0 ? [] : [`${counted(keptForCritical, 'slot')} kept for critical requests.`]),
    ...(notAfter === undefined ? [] : [`Not made after ${shortTime(notAfter)}.`]),
  ];
}

function by({ by: caller, displayName, reason }: NonNullable<Placement['promotedBy']>): string {
  const who = displayName ?? caller;
  return `${who === undefined ? '' : ` by ${who}`}${reason === undefined ? '' : `: ${reason}`}`;
}

function aheadInWords({ calls, byPriority, isEstimate }: Ahead): string {
  if (calls === 0) return 'Nothing is ahead: it is next.';
  const parts = (Object.entries(byPriority) as [Priority, number][]).flatMap(([priority, count]) =>
    count === 0 ? [] : [`${count.toLocaleString('en')} ${priority}`],
  );
  const about = isEstimate ? 'about ' : '';
  return `${counted(calls, 'call')} ahead${parts.length === 0 ? '' : `: ${about}${parts.join(', ')}`}.`;
}

function counted(count: number, one: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : `${one}s`}`;
}

const units: readonly [seconds: number, name: string][] = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
];

/** In the greatest unit that gives a whole number: 30 days, 36 hours, 90 seconds. */
function lengthOf(seconds: number): string {
  const [size, name] = units.find(([unit]) => seconds % unit === 0) ?? [1, 'second'];
  return counted(seconds / size, name);
}

/** To the minute, which is the grain of the order: 2026-11-23 08:00 UTC. */
function shortTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
