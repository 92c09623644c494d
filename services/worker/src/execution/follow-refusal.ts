import type { Task } from '@diq/queue/tasks/task-store.ts';
import type { SpendReply } from '@diq/quota/ledger/replies.ts';
import { aboutTask } from '../observability/about-task.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';
import type { RecoveryOptions } from '../maintenance/rescue-abandoned-calls.ts';
import { restoreCall } from './restore-call.ts';
import type { JobFate } from './execute-task.ts';

export interface FollowRefusalOptions extends RecoveryOptions {
  metrics: Pick<WorkerMetrics, 'interlockRefusals'>;
}

/** What to do with the job when the ledger says no. */
export async function followRefusal(
  reply: Exclude<SpendReply, { kind: 'granted' }>,
  task: Task,
  options: FollowRefusalOptions,
): Promise<JobFate> {
  const { ledger, metrics, logger, permitTimeoutMs } = options;
  if (reply.kind === 'held' || reply.kind === 'lost' || reply.kind === 'probing') return 'back';
  if (reply.kind === 'full') {
    // Two workers may reach for one slot where the limiter does not know how few there are.
    if (reply.by === 'stricter') return 'back';
    metrics.interlockRefusals.inc();
    const { nextSlotAtMs } = reply;
    logger.warn({ ...aboutTask(task), nextSlotAtMs }, 'limiter and ledger disagree, waiting');
    return 'back';
  }
  const { call, isDoubtful, nowMs } = reply;
  if (!call) return 'done';
  if (call.outcome !== 'in_flight' || isDoubtful) {
    // The task would not wait if Redis had not lost what was done for it.
    await restoreCall(call, options);
  } else if (call.spentAt + permitTimeoutMs < nowMs) {
    // A call that was never begun is in the books for it: its process ended between the two, and past its deadline it
    // cannot begin any more. The job comes back with the next search for missing ones.
    await ledger.giveBack(call.callId);
  }
  return 'done';
}
