import type { Dispatch } from '@diq/queue/dispatch-store.ts';
import type { SpendReply } from '@diq/quota/ledger-replies.ts';
import { aboutDispatch } from './about-dispatch.ts';
import type { WorkerMetrics } from './metrics.ts';
import type { RecoveryOptions } from './recover-dispatches.ts';
import { restoreCall } from './restore-call.ts';
import type { TicketFate } from './run-dispatch.ts';

export interface FollowRefusalOptions extends RecoveryOptions {
  metrics: Pick<WorkerMetrics, 'interlockRefusals'>;
}

/** What to do with the ticket when the ledger says no. */
export async function followRefusal(
  reply: Exclude<SpendReply, { kind: 'granted' }>,
  dispatch: Dispatch,
  options: FollowRefusalOptions,
): Promise<TicketFate> {
  const { ledger, metrics, logger, permitTimeoutMs } = options;
  if (reply.kind === 'held' || reply.kind === 'lost' || reply.kind === 'probing') return 'back';
  if (reply.kind === 'full') {
    // Two workers may reach for one slot where the limiter does not know how few there are.
    if (reply.by === 'stricter') return 'back';
    metrics.interlockRefusals.inc();
    const { nextSlotAtMs } = reply;
    logger.warn({ ...aboutDispatch(dispatch), nextSlotAtMs }, 'limiter and ledger disagree, waiting');
    return 'back';
  }
  const { call, isDoubtful, nowMs } = reply;
  if (!call) return 'done';
  if (call.outcome !== 'under-way' || isDoubtful) {
    // The dispatch would not wait if Redis had not lost what was done for it.
    await restoreCall(call, options);
  } else if (call.spentAt + permitTimeoutMs < nowMs) {
    // A call that was never begun is in the books for it: its process ended between the two, and past its deadline it
    // cannot begin any more. The ticket comes back with the next search for missing ones.
    await ledger.giveBack(call.callId);
  }
  return 'done';
}
