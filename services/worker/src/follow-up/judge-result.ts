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
    end: outcome && { outcome, endedAtMs: updatedAtMs },
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

/** Of an investigation. It has ended when Defender shows an end, whatever its state; a state that is not known counts as open. */
export function judgeInvestigation({ state, startTimeMs, endTimeMs }: Investigation): SeenResult {
  const outcome = Object.hasOwn(investigationEnds, state) ? investigationEnds[state] : undefined;
  const seen = { state, startedAtMs: startTimeMs };
  if (outcome) return { ...seen, end: { outcome, endedAtMs: endTimeMs } };
  if (endTimeMs === undefined) return { ...seen, end: undefined };
  return { ...seen, end: { outcome: 'unknown', endedAtMs: endTimeMs, why: 'unfamiliar' } };
}
