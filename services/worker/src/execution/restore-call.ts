import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { LedgerCall } from '@diq/quota/ledger/replies.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { persistently } from '@diq/runtime/async/retry-until-aborted.ts';
import { finishCall } from './finish-call.ts';
import type { FinishCallOptions } from './finish-call.ts';

/** Restored at the same time; each takes a few round trips. */
const atOnce = 20;
/** What is not restored by then is restored when its job is claimed. */
const triedForMs = 60_000;

/**
 * Assigns a task again to the call that was made for it, after Redis lost that: the call is not made again, and the
 * requests get the outcome that the ledger knows. Safe to repeat, and done by any number of workers at the same time.
 */
export async function restoreCall(call: LedgerCall, options: FinishCallOptions): Promise<void> {
  const { tasks, logger } = options;
  if (!call.mayRepeat && !(await belongsToCall(call, tasks, logger))) return;
  // While it is under way, the worker that made it stores what comes of it; if that one is gone, the recovery does.
  if (call.outcome !== 'in_flight') await finishCall(call.taskId, call.callId, options);
}

/** Restores, in the background, calls that the ledger had lost and this worker knew. */
export function createRestore(options: FinishCallOptions, closing: AbortSignal) {
  const restoring = createOutageLog(options.logger, 'restoring calls that Redis had lost');
  return (calls: readonly LedgerCall[]): void => {
    const signal = AbortSignal.any([closing, AbortSignal.timeout(triedForMs)]);
    const restore = restoring.watched(() => restoreAll(calls, options));
    void persistently(restore, { signal, onFailure: restoring.failed }).catch(() => undefined);
  };
}

async function restoreAll(calls: readonly LedgerCall[], options: FinishCallOptions): Promise<void> {
  const left = [...calls];
  const restoreOn = async () => {
    for (let call = left.shift(); call; call = left.shift()) await restoreCall(call, options);
  };
  await Promise.all(Array.from({ length: atOnce }, restoreOn));
}

async function belongsToCall(
  { callId, taskId, machineId, spentAt, outcome }: LedgerCall,
  tasks: TaskStore,
  logger: Logger,
): Promise<boolean> {
  const resumed = await tasks.resume(taskId, callId, spentAt);
  if (resumed.moved) {
    logger.warn({ taskId, machineId, callId, outcome }, 'Redis had lost that this call was made, restored');
    return true;
  }
  if (resumed.state === 'missing') {
    const about = { taskId, machineId, callId, outcome };
    logger.error(about, 'call made for a request that Redis has lost');
  }
  return resumed.callId === callId && resumed.state !== 'settled';
}
