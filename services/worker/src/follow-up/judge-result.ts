import type { EndOutcome, UnknownReason } from '@diq/contracts/result-outcome.ts';
import type { Investigation, MachineAction } from '../defender/defender-records.ts';

/** What Defender shows of a result: its end, or that it runs. */
export interface SeenResult {
  /** Defender's own word. */
  readonly state: string;
  readonly startedAtMs: number | undefined;
  readonly end:
    | {
        readonly outcome: EndOutcome;
        readonly endedAtMs: number | undefined;
        readonly why?: UnknownReason;
      }
    | undefined;
}

/** A row of Defender's in which a result is shown. */
export interface SeenRow extends SeenResult {
  readonly machineId: string | undefined;
}

/**
 * What the rows under one id show of the result on this machine. A row that names another machine is another result's. Where rows
 * contradict each other the result has not ended: an end is stored for good, and what is not certain is read again. Pure.
 *
 * @returns `undefined` where no row is of this machine
 */
export function agreed(rows: readonly SeenRow[] | undefined, machineId: string): SeenResult | undefined {
  const own = rows?.filter((row) => row.machineId === undefined || row.machineId.toLowerCase() === machineId);
  const [first, ...others] = own ?? [];
  if (first === undefined) return undefined;
  const open = [first, ...others].find(({ end }) => end === undefined);
  if (open) return open;
  return others.every(({ end }) => end?.outcome === first.end?.outcome)
    ? first
    : { ...first, end: undefined };
}

const actionEnds: Readonly<Record<string, EndOutcome>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  timeout: 'failed',
  cancelled: 'cancelled',
};

/** Of a machine action. A status that is not known counts as open: a new one must not end what still runs. */
export function judgeAction({ status, createdAtMs, updatedAtMs }: MachineAction): SeenResult {
  const word = status.toLowerCase();
  const outcome = Object.hasOwn(actionEnds, word) ? actionEnds[word] : undefined;
  return {
    state: status,
    startedAtMs: createdAtMs,
    end: outcome && { outcome, endedAtMs: notBefore(createdAtMs, updatedAtMs) },
  };
}

/** What was begun and not brought to its end is `failed`: what is left has to be looked at. */
const investigationEnds: Readonly<Record<string, EndOutcome>> = {
  SuccessfullyRemediated: 'succeeded',
  Benign: 'succeeded',
  PartiallyRemediated: 'failed',
  PartiallyInvestigated: 'failed',
  Failed: 'failed',
  InnerFailure: 'failed',
  TerminatedBySystem: 'failed',
  PreexistingAlert: 'failed',
  UnsupportedOs: 'failed',
  UnsupportedAlertType: 'failed',
  SuppressedAlert: 'failed',
  Terminated: 'cancelled',
  TerminatedByUser: 'cancelled',
};

/**
 * Of an investigation. It has ended when Defender shows an end, whatever its state; a state that is not known counts as open. An end
 * before its start is none.
 */
export function judgeInvestigation({ state, startTimeMs, ...shown }: Investigation): SeenResult {
  const endTimeMs = notBefore(startTimeMs, shown.endTimeMs);
  const outcome = Object.hasOwn(investigationEnds, state) ? investigationEnds[state] : undefined;
  const seen = { state, startedAtMs: startTimeMs };
  if (outcome) return { ...seen, end: { outcome, endedAtMs: endTimeMs } };
  if (endTimeMs === undefined) return { ...seen, end: undefined };
  return { ...seen, end: { outcome: 'unknown', endedAtMs: endTimeMs, why: 'unfamiliar' } };
}

/** An end, unless it lies before the beginning: then it is not known. */
function notBefore(startedAtMs: number | undefined, endedAtMs: number | undefined): number | undefined {
  return endedAtMs !== undefined && endedAtMs < (startedAtMs ?? -Infinity) ? undefined : endedAtMs;
}
