import type { DispatchStore, Moved } from '@diq/queue/dispatch-store.ts';
import type { Ledger, Recorded } from '@diq/quota/ledger.ts';
import type { Logger } from '@diq/runtime/logger.ts';
import { aboutDispatch } from './about-dispatch.ts';
import type { Consequence } from './consequence.ts';
import type { CallOutcome } from './defender/defender-client.ts';
import { moveRequests } from './move-requests.ts';
import type { Call } from './run-dispatch.ts';
import type { SetHold } from './set-hold.ts';

export interface RecordOutcomeOptions {
  ledger: Ledger;
  dispatches: DispatchStore;
  logger: Logger;
  /** From the loss of an answer until Defender is asked for the first time what became of the call. */
  firstLookInMs: number;
  hold: SetHold;
}

/** Outcomes that show Defender to be at work: what failed in a row before is over. */
const isWorking: ReadonlySet<CallOutcome['kind']> = new Set([
  'started',
  'machine_not_found',
  'refused',
  'already_running',
]);

/**
 * Stores what came of a call; safe to repeat. Ledger first: what it says of a call is what a successor goes by if this
 * process ends in between.
 */
export async function recordOutcome(
  { callId, dispatch }: Call,
  outcome: CallOutcome,
  { requests, permit, hold: held }: Consequence,
  { ledger, dispatches, logger, hold, firstLookInMs }: RecordOutcomeOptions,
): Promise<void> {
  let recorded: Recorded | undefined;
  if (permit === 'spent') {
    const facts = {
      requests: JSON.stringify(requests),
      ...('status' in outcome && { httpStatus: outcome.status }),
    };
    const mayRepeat = requests.kind === 'give-back';
    recorded = await ledger.recordAnswer(callId, { outcome: outcome.kind, facts, mayRepeat });
    if (!recorded)
      logger.error({ callId, ...aboutDispatch(dispatch), outcome }, 'the ledger has lost this call');
  }
  if (held && held.reason !== 'paused') {
    await hold(held.reason, held.length === 'growing' ? undefined : held.length.forMs);
  }
  if (isWorking.has(outcome.kind)) await ledger.endStreaks();
  const move = () => moveRequests(dispatches, { id: dispatch.id, callId }, requests, firstLookInMs);
  let moved = await move();
  if (isForgotten(moved, requests, recorded)) {
    // After a failover to a replica that lagged it waits again: in that state of things this call was never begun.
    await dispatches.resume(dispatch.id, callId, recorded?.spentAtMs ?? Date.now() - outcome.durationMs);
    moved = await move();
  }
  if (permit === 'unspent') await ledger.giveBack(callId);
  if (isLost(moved)) {
    logger.error(
      { callId, ...aboutDispatch(dispatch), outcome, state: moved.state },
      'the outcome came too late to be stored',
    );
  }
}

function isForgotten(
  moved: Moved,
  { kind }: Consequence['requests'],
  recorded: Recorded | undefined,
): boolean {
  const waits = !moved.moved && moved.state === 'waiting';
  return waits && (kind === 'settle' || (kind === 'reconcile' && recorded?.mayRepeat !== true));
}

/** Given back before, or by somebody else, is no loss. */
function isLost(moved: Moved): moved is Extract<Moved, { moved: false }> {
  return !moved.moved && moved.state !== 'waiting';
}
