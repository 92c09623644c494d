import type { RequestIntake } from '@diq/queue/admission/accept-requests.ts';
import type { IdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import type { Replication } from '@diq/redis/replication.ts';

/**
 * An intake whose requests are on replicas before they are answered. One that is not by then is answered as if Redis were
 * away, although it is recorded: its caller asks again, and joins it.
 */
export function withReplicas(intake: RequestIntake, replication: Replication): RequestIntake {
  return {
    acceptOne: (item, submission) => replication.replicated(() => intake.acceptOne(item, submission)),
    acceptRetries: (retries, submission) =>
      replication.replicated(() => intake.acceptRetries(retries, submission)),
    acceptBatch: (entries, submission) =>
      replication.replicated(() => intake.acceptBatch(entries, submission)),
  };
}

/** The ids that an Idempotency-Key stands for are on replicas too before anything is recorded under them. */
export function keysOnReplicas(store: IdempotencyStore, replication: Replication): IdempotencyStore {
  return {
    ...store,
    attempt(key, caller) {
      const attempt = store.attempt(key, caller);
      return {
        ...attempt,
        claim: (digest, nowMs) => replication.replicated(() => attempt.claim(digest, nowMs)),
      };
    },
  };
}
