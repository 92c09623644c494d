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

export type HousekeepingOptions = FinishCallOptions &
  ReconcilerOptions & { lifecycle: Lifecycle; aside: SetAside };

const recoverEveryMs = 1_000;
/** After an outage of Redis, workers that live store what they know within a second; they go first. */
const afterOutageMs = 5_000;
/** How late a request that waits can be told that its deadline was reached. */
const expireEveryMs = 1_000;
const takeBackEveryMs = 1_000;
const checkJobsEveryMs = 2_000;
const longestBetweenLooksMs = 1_000;

/** What is done again and again beside the calls: for dead workers, for lost jobs, for lost answers. */
export function startHousekeeping(options: HousekeepingOptions): void {
  const { lifecycle, logger, firstQueryInMs } = options;

  const recovery = createOutageLog(logger, 'finishing what dead workers left');
  const recover = afterCalm(
    afterOutageMs,
    recovery.watched(() => rescueAbandonedCalls(options)),
  );
  lifecycle.onClose('recovery', repeat(recoverEveryMs, recover, recovery.failed));

  const expiring = createOutageLog(logger, 'ending requests whose deadline was reached');
  const expire = expiring.watched(() => expireDue(options));
  lifecycle.onClose('deadlines', repeat(expireEveryMs, expire, expiring.failed));

  // Done by whoever is answered well; here for a worker that ended in between.
  const restoring = createOutageLog(logger, 'putting refused calls back to their places');
  const takeBack = restoring.watched(() => options.aside.takeBack());
  lifecycle.onClose('set aside', repeat(takeBackEveryMs, takeBack, restoring.failed));

  const checking = createOutageLog(logger, 'the search for missing jobs');
  const requeueMissingJobs = checking.watched(createMissingJobCheck(options));
  lifecycle.onClose('job check', repeat(checkJobsEveryMs, requeueMissingJobs, checking.failed));

  const looking = createOutageLog(logger, 'looking up calls without an answer');
  const reconciler = createReconciler(options);
  const betweenLooksMs = Math.min(firstQueryInMs, longestBetweenLooksMs);
  const lookAtDue = looking.watched(() => reconciler.lookAtDue());
  const stopLooking = repeat(betweenLooksMs, lookAtDue, looking.failed);
  lifecycle.onClose('reconciler', async () => {
    await reconciler.close();
    await stopLooking();
  });
}
