import type { RequestHandler } from 'express';
import { freeSlots, nextSlotAtMs } from '@diq/quota/forecast.ts';
import type { SlotInUse } from '@diq/quota/ledger-replies.ts';
import type { AppParts } from '../../app-parts.ts';
import { isoTime } from '../../iso-time.ts';
import { drainedAtMs, oldestWaitSeconds } from '../../queue-state.ts';
import type { QueueState } from '../../queue-state.ts';

/** `GET /v1/quota`: what may be called, what is in the way, and how much there is to do. Times are of Redis' clock. */
export function getQuota({
  readState,
  operation,
}: Pick<AppParts, 'readState' | 'operation'>): RequestHandler {
  return async (_request, response) => {
    const state = await readState();
    const { limit, windowMs, slotsInUse, hold } = state.view;
    response.json({
      operation,
      limit,
      windowSeconds: windowMs / 1_000,
      used: slotsInUse.length,
      remaining: freeSlots(state.view),
      nextSlotAt: isoTime(nextSlotAtMs(state.view)) ?? null,
      hold: hold ? { until: isoTime(hold.untilMs) ?? null, reason: hold.reason } : null,
      slots: slotsInUse.map(describeSlot),
      queue: describeQueue(state),
    });
  };
}

/** `at` is when the permit was spent, `freeAt` when it comes back. */
function describeSlot({ freeAtMs, call }: SlotInUse) {
  return {
    at: call ? (isoTime(call.spentAt) ?? null) : null,
    machineId: call?.machineId ?? null,
    // The call's record is gone; its permit counts all the same.
    outcome: call?.outcome ?? 'unknown',
    freeAt: isoTime(freeAtMs) ?? null,
  };
}

function describeQueue(state: QueueState) {
  const { counts, waitingDispatches } = state.backlog;
  const drainMs = waitingDispatches === 0 ? undefined : drainedAtMs(state);
  return {
    queued: counts.queued,
    dispatching: counts.dispatching,
    oldestWaitSeconds: oldestWaitSeconds(state),
    expectedDrainAt: drainMs === undefined ? null : (isoTime(drainMs) ?? null),
  };
}
