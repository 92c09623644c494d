import type { Dispatch } from '@diq/queue/dispatch-store.ts';
import type { SpendReply } from '@diq/quota/ledger-replies.ts';
import type { Ledger } from '@diq/quota/ledger.ts';
import type { Logger } from '@diq/runtime/logger.ts';
import { aboutDispatch } from './about-dispatch.ts';
import type { WorkerMetrics } from './metrics.ts';
import type { TicketFate } from './run-dispatch.ts';

export interface FollowRefusalOptions {
  ledger: Ledger;
  metrics: Pick<WorkerMetrics, 'interlockRefusals'>;
  logger: Logger;
  permitTimeoutMs: number;
}

/** What to do with the ticket when the ledger says no. */
export async function followRefusal(
  reply: Exclude<SpendReply, { kind: 'granted' }>,
  dispatch: Dispatch,
  { ledger, metrics, logger, permitTimeoutMs }: FollowRefusalOptions,
): Promise<TicketFate> {
  if (reply.kind === 'held' || reply.kind === 'lost') return 'back';
  if (reply.kind === 'full') {
    // Two workers may reach for one slot where the limiter does not know how few there are.
    if (reply.by === 'stricter') return 'back';
    metrics.interlockRefusals.inc();
    const { nextSlotAtMs } = reply;
    logger.warn({ ...aboutDispatch(dispatch), nextSlotAtMs }, 'limiter and ledger disagree, waiting');
    return 'back';
  }
  // A call that was never begun is in the books for it: its process ended between the two, or is about to begin.
  // Past its deadline it cannot begin any more. The ticket comes back with the next search for missing ones.
  const call = await ledger.findCall(reply.callId);
  if (call && call.spentAt + permitTimeoutMs < reply.nowMs) await ledger.giveBack(reply.callId);
  return 'done';
}
