import { endUnreadable, readTask } from '../execution/dead-letter.ts';
import { finishCall } from '../execution/finish-call.ts';
import type { FinishCallOptions } from '../execution/finish-call.ts';
import { aboutTask } from '../observability/transition-log.ts';

/** Tasks per round; there are hardly ever more calls in flight than the quota allows. */
const perRound = 100;

/**
 * Finishes what a worker that died in mid-call left behind: a task in "in_flight" whose call can no longer be under
 * way. With the outcome in the ledger it is stored as it was; without one it is not known what Defender made of the
 * call, and Defender is asked. Any number of workers may do this at the same time.
 *
 * @returns how many tasks were finished
 */
export async function rescueAbandonedCalls(options: FinishCallOptions): Promise<number> {
  const { ledger, tasks, logger, permitTimeoutMs } = options;
  const { nowMs, isLost, holdsOn } = await ledger.snapshot();
  // What is known of the calls may still be handed over.
  if (isLost || holdsOn.includes('failover')) return 0;
  const ids = await tasks.inFlightSince(nowMs - permitTimeoutMs, perRound);
  let finished = 0;
  for (const id of ids) {
    try {
      const task = await readTask(id, tasks);
      if (task === undefined || task === 'unreadable') {
        if (await endUnreadable(id, options)) finished += 1;
        continue;
      }
      if (task.state !== 'in_flight' || task.callId === undefined) continue;
      logger.warn({ ...aboutTask(task), callId: task.callId }, 'finished for a dead worker');
      await finishCall(id, task.callId, options);
      finished += 1;
    } catch (error) {
      // One that cannot be finished must not keep the others waiting for ever.
      logger.error({ err: error, taskId: id }, 'could not be finished for a dead worker');
    }
  }
  return finished;
}
