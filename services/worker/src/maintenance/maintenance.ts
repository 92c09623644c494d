import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { afterCalm } from '@diq/runtime/async/delay-after-failure.ts';
import { expireDue } from './expire-deadlines.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { createReconciler } from '../reconciliation/reconciler.ts';
import type { ReconcilerOptions } from '../reconciliation/reconciler.ts';
import { rescueAbandonedCalls } from './rescue-abandoned-calls.ts';
import type { FinishCallOptions } from '../execution/finish-call.ts';
import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { SetAside } from '../execution/defer-refused-task.ts';
import { createMissingJobCheck } from './requeue-missing-jobs.ts';

export type MaintenanceOptions = FinishCallOptions &
  ReconcilerOptions & { lifecycle: Lifecycle; aside: SetAside };

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

  const recovery = createOutageLog(logger, 'rescuing abandoned calls');
  const recover = afterCalm(
    afterOutageMs,
    recovery.watched(() => rescueAbandonedCalls(options)),
  );
  lifecycle.onClose('recovery', repeat(recoverEveryMs, recover, recovery.failed));

  const expiring = createOutageLog(logger, 'expiring deadlines');
  const expire = expiring.watched(() => expireDue(options));
  lifecycle.onClose('deadlines', repeat(expireEveryMs, expire, expiring.failed));

  // Any worker does this after a good answer; here for a worker that ended in between.
  const restoring = createOutageLog(logger, 'moving refused tasks back to their places');
  const takeBack = restoring.watched(() => options.aside.takeBack());
  lifecycle.onClose('set aside', repeat(takeBackEveryMs, takeBack, restoring.failed));

  const checking = createOutageLog(logger, 'the search for missing jobs');
  const requeueMissingJobs = checking.watched(createMissingJobCheck(options));
  lifecycle.onClose('job check', repeat(checkJobsEveryMs, requeueMissingJobs, checking.failed));

  const reconciling = createOutageLog(logger, 'reconciling unresolved outcomes');
  const reconciler = createReconciler(options);
  const betweenQueriesMs = Math.min(firstQueryInMs, longestBetweenQueriesMs);
  const queryDue = reconciling.watched(() => reconciler.queryDue());
  const stopReconciling = repeat(betweenQueriesMs, queryDue, reconciling.failed);
  lifecycle.onClose('reconciler', async () => {
    await reconciler.close();
    await stopReconciling();
  });
}
