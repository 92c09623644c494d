import type { Lifecycle } from '@diq/runtime/lifecycle.ts';
import { afterCalm } from './after-calm.ts';
import { expireDue } from './expire-due.ts';
import { createOutageLog } from './outage-log.ts';
import { createReconciler } from './reconcile/reconciler.ts';
import type { ReconcilerOptions } from './reconcile/reconciler.ts';
import { recoverDispatches } from './recover-dispatches.ts';
import type { RecoveryOptions } from './recover-dispatches.ts';
import { repeat } from './repeat.ts';
import type { SetAside } from './set-aside.ts';
import { createTicketCheck } from './ticket-check.ts';

export type HousekeepingOptions = RecoveryOptions &
  ReconcilerOptions & { lifecycle: Lifecycle; aside: SetAside };

const recoverEveryMs = 1_000;
/** After an outage of Redis, workers that live store what they know within a second; they go first. */
const afterOutageMs = 5_000;
/** How late a request that waits can be told that its deadline was reached. */
const expireEveryMs = 1_000;
const takeBackEveryMs = 1_000;
const checkTicketsEveryMs = 2_000;
const longestBetweenLooksMs = 1_000;

/** What is done again and again beside the calls: for dead workers, for lost tickets, for lost answers. */
export function startHousekeeping(options: HousekeepingOptions): void {
  const { lifecycle, logger, firstLookInMs } = options;

  const recovery = createOutageLog(logger, 'finishing what dead workers left');
  const recover = afterCalm(
    afterOutageMs,
    recovery.watched(() => recoverDispatches(options)),
  );
  lifecycle.onClose('recovery', repeat(recoverEveryMs, recover, recovery.failed));

  const expiring = createOutageLog(logger, 'ending requests whose deadline was reached');
  const expire = expiring.watched(() => expireDue(options));
  lifecycle.onClose('deadlines', repeat(expireEveryMs, expire, expiring.failed));

  // Done by whoever is answered well; here for a worker that ended in between.
  const restoring = createOutageLog(logger, 'putting refused calls back to their places');
  const takeBack = restoring.watched(() => options.aside.takeBack());
  lifecycle.onClose('set aside', repeat(takeBackEveryMs, takeBack, restoring.failed));

  const checking = createOutageLog(logger, 'the search for missing tickets');
  const checkTickets = checking.watched(createTicketCheck(options));
  lifecycle.onClose('ticket check', repeat(checkTicketsEveryMs, checkTickets, checking.failed));

  const looking = createOutageLog(logger, 'looking up calls without an answer');
  const reconciler = createReconciler(options);
  const betweenLooksMs = Math.min(firstLookInMs, longestBetweenLooksMs);
  const lookAtDue = looking.watched(() => reconciler.lookAtDue());
  const stopLooking = repeat(betweenLooksMs, lookAtDue, looking.failed);
  lifecycle.onClose('reconciler', async () => {
    await reconciler.close();
    await stopLooking();
  });
}
