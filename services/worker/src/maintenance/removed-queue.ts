import type { FinishCallOptions } from '../execution/finish-call.ts';
import { createReconciler, type ReconcilerOptions } from '../reconciliation/reconciler.ts';
import type { QueueNeeds } from '../scheduling/queue-needs.ts';
import { expireDue } from './maintenance.ts';
import { rescueAbandonedCalls } from './rescue-abandoned-calls.ts';

export type RemovedQueueOptions = FinishCallOptions &
  ReconcilerOptions & {
    readNeeds(): Promise<QueueNeeds>;
    /** The time of Redis' clock, in ms. */
    readTimeMs(): Promise<number>;
  };

export type RemovedQueue = ReturnType<typeof createRemovedQueue>;

/** A query takes the calls that are due; those that were passed over for want of a read are due again at once. */
const shortestWaitMs = 1_000;

/**
 * A queue whose tenant or operation was taken out of the settings. No call is made in it any more, but what was begun comes to
 * its end: calls of workers that died, calls whose answer was lost, and requests whose deadline passes.
 */
export function createRemovedQueue(options: RemovedQueueOptions) {
  const reconciler = createReconciler(options);
  return {
    /**
     * Does what is due.
     *
     * @returns in how many ms something is due next; `undefined` where nothing is left
     * @throws Error while Redis cannot be asked
     */
    async attend(): Promise<number | undefined> {
      const [needs, nowMs] = await Promise.all([options.readNeeds(), options.readTimeMs()]);
      const { callBeganMs = Infinity, deadlineMs = Infinity, queryMs = Infinity } = needs;
      const rescueMs = callBeganMs + options.permitTimeoutMs;
      if (rescueMs < nowMs) await rescueAbandonedCalls(options);
      if (deadlineMs <= nowMs) await expireDue(options);
      if (queryMs <= nowMs) await reconciler.queryDue();
      const nextMs = Math.min(rescueMs, deadlineMs, queryMs);
      return nextMs === Infinity ? undefined : Math.max(shortestWaitMs, nextMs - nowMs);
    },
    /** Begins no further query. One under way ends with its reader. */
    close: reconciler.close,
  };
}
