import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { afterCalm, repeat } from '@diq/runtime/async/run-periodically.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { createReconciler, type ReconcilerOptions } from '../reconciliation/reconciler.ts';
import { rescueAbandonedCalls } from './rescue-abandoned-calls.ts';
import type { FinishCallOptions } from '../execution/finish-call.ts';
import type { SetAside } from '../execution/process-job.ts';
import type { JobClaimer } from '../scheduling/job-claimer.ts';
import { createMissingJobCheck } from './requeue-missing-jobs.ts';
import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';

export type MaintenanceOptions = FinishCallOptions &
  ReconcilerOptions & {
    lifecycle: Lifecycle;
    aside: SetAside;
    claimer: Pick<JobClaimer, 'bringBack' | 'bringBackEveryMs'>;
  };

const recoverEveryMs = 1_000;
/** After an outage of Redis, live workers store their outcomes within a second; they go first. */
const afterOutageMs = 5_000;
/** How late a waiting request can expire after its deadline. */
const expireEveryMs = 1_000;
const takeBackEveryMs = 1_000;
const checkJobsEveryMs = 2_000;
const longestBetweenQueriesMs = 1_000;

/** Starts the periodic work beside the calls: for abandoned calls, deadlines, missing jobs and lost answers. */
export function startMaintenance(options: MaintenanceOptions): void {
  const { lifecycle, logger, firstQueryInMs } = options;
  const every = (pauseMs: number, step: string, what: string, act: () => Promise<unknown>, calmMs = 0) => {
    const outages = createOutageLog(logger, what);
    lifecycle.onClose(step, repeat(pauseMs, afterCalm(calmMs, outages.watched(act)), outages.failed));
  };

  const recover = () => rescueAbandonedCalls(options);
  every(recoverEveryMs, 'recovery', 'rescuing abandoned calls', recover, afterOutageMs);
  every(expireEveryMs, 'deadlines', 'expiring deadlines', () => expireDue(options));
  // Any worker does this after a good answer; here for a worker that ended in between.
  const takeBack = () => options.aside.takeBack();
  every(takeBackEveryMs, 'set aside', 'moving refused tasks back to their places', takeBack);
  every(checkJobsEveryMs, 'job check', 'the search for missing jobs', createMissingJobCheck(options));

  const { claimer } = options;
  every(claimer.bringBackEveryMs, 'stalled jobs', 'putting back jobs of dead workers', () =>
    claimer.bringBack(),
  );

  const reconciler = createReconciler(options);
  const betweenQueriesMs = Math.min(firstQueryInMs, longestBetweenQueriesMs);
  const queryDue = () => reconciler.queryDue();
  every(betweenQueriesMs, 'reconciler', 'reconciling unresolved outcomes', queryDue);
  // Closed before the loop, so that the query under way ends.
  lifecycle.onClose('queries to Defender', () => reconciler.close());
}

/**
 * Ends every queued request whose own deadline was reached, in bounded steps. A job that is not taken out, because
 * this process ends in between or another worker holds it, finds nothing to do.
 *
 * @returns how many requests expired
 */
export async function expireDue({
  tasks,
  jobs,
  logger,
}: {
  tasks: Pick<TaskStore, 'expireDue'>;
  jobs: Pick<JobQueue, 'removeAll'>;
  logger: Pick<Logger, 'info'>;
}): Promise<number> {
  let expired = 0;
  for (;;) {
    const { requestIds, ended } = await tasks.expireDue();
    await jobs.removeAll(ended);
    if (requestIds.length === 0) return expired;
    logger.info({ requests: requestIds.length, tasks: ended.length }, 'expired while waiting');
    expired += requestIds.length;
  }
}
