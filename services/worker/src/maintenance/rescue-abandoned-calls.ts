import { endUnreadable, readTask } from '../execution/dead-letter.ts';
import { finishCall, type FinishCallOptions } from '../execution/finish-call.ts';
import { aboutTask } from '../observability/transition-log.ts';

/** Tasks per round; there are hardly ever more calls in flight than the quota allows. */
const perRound = 100;

/**
 * Finishes tasks whose worker died during the call: `in_flight`, with a call that can no longer be under way. An outcome in
 * the ledger is stored as it is; without one, the outcome is unresolved and the task goes to `reconciling`. Any number
 * of workers may do this at the same time.
 *
 * @returns how many tasks were finished
 */
export async function rescueAbandonedCalls(options: FinishCallOptions): Promise<number> {
  const { ledger, tasks, logger, permitTimeoutMs } = options;
  const { nowMs, isLost, holdsOn } = await ledger.snapshot();
  // Other workers may still hand over what they know of the calls.
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
      logger.warn({ ...aboutTask(task), callId: task.callId }, 'abandoned call rescued');
      await finishCall(id, task.callId, options);
      finished += 1;
    } catch (error) {
      // One task that cannot be finished must not block the others.
      logger.error({ err: error, taskId: id }, 'abandoned call could not be rescued');
    }
  }
  return finished;
}
