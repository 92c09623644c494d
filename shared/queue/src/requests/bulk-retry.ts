import type { RedisConnection } from '@diq/redis/connection.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import type { RetryOutcome } from '../admission/accept-requests.ts';
import type { Retry } from '../admission/new-request.ts';
import { entryOf } from '../operations/audit-log.ts';
import type { Actor, AuditLog } from '../operations/audit-log.ts';
import type { BulkBounds } from './bulk-cancel.ts';
import { readFittingRequests } from './list-requests.ts';
import { chooseWalk } from './request-cursor.ts';
import type { RequestFilter } from './request-filter.ts';
import { retryOf } from './retry-of.ts';
import type { StoredRequest } from './stored-request.ts';

/** Statuses of requests that can be retried by filter: ends at which Defender is not known to have done what was asked. */
export const retriableStatuses = ['failed', 'expired', 'cancelled', 'unknown'] as const;

export type RetryFilter = Omit<RequestFilter, 'status'> & {
  status: readonly (RequestStatus & (typeof retriableStatuses)[number])[];
};

export interface BulkRetried {
  /** Requests that were recorded anew. */
  retried: number;
  /** Of them, those that share a call with others, or a result. */
  coalesced: number;
  /** Fitted, and were retried before. */
  alreadyRetried: number;
  /** Fitted, and are not to be started any more. */
  deadlinePassed: number;
  /** Fitted, and too many wait for their machine. */
  tooManyJoined: number;
  /** Some were not looked at: asked again, it goes on. */
  remaining: boolean;
  /** Where it goes on without a look at what it has looked at; only while some remain. */
  next?: string;
}

/** Nothing more was accepted: what was retried until then, and why. */
export class RetryStoppedError extends Error {
  readonly done: BulkRetried;

  constructor(done: BulkRetried, options: ErrorOptions) {
    super('Nothing more was accepted.', options);
    this.name = 'RetryStoppedError';
    this.done = done;
  }
}

export interface BulkRetryOptions {
  redis: RedisConnection;
  keySpace: string;
  audit: Pick<AuditLog, 'record'>;
}

export interface RetryOrder {
  filter: RetryFilter;
  actor: Actor;
  nowMs: number;
  /** In place of each request's own deadline; `null`: none. */
  notAfter?: string | null | undefined;
  /** Records retries of one caller, each once. */
  accept: (retries: readonly Retry[], caller: string) => Promise<RetryOutcome[]>;
}

/** Requests looked at in one go: of the largest, some 3 MB. */
const chunkSize = 250;

export type BulkRetry = ReturnType<typeof createBulkRetry>;

export function createBulkRetry({ redis, keySpace, audit }: BulkRetryOptions) {
  return {
    /**
     * Asks again for what ended, fits and was not retried before; newest first, for at most about `budgetMs`, and no longer than until
     * `closing` is aborted. A retry belongs to the caller of the request that it repeats, and shares what was started just now.
     *
     * @throws RetryStoppedError where `accept` throws
     */
    async retry(order: RetryOrder, { budgetMs, closing, from }: BulkBounds): Promise<BulkRetried> {
      const { filter, actor } = order;
      const walk = await chooseWalk(redis, keySpace, filter);
      const done: BulkRetried = {
        retried: 0,
        coalesced: 0,
        alreadyRetried: 0,
        deadlinePassed: 0,
        tooManyJoined: 0,
        remaining: true,
      };
      let position = from;
      let isRecorded = false;
      const begin = async () => {
        if (isRecorded) return;
        isRecorded = true;
        await audit.record(entryOf('retry_many', actor, { filter }), actor.name);
      };
      const end = async (): Promise<BulkRetried> => {
        if (isRecorded)
          await audit.record(entryOf('retry_many_done', actor, { filter, ...done }), actor.name);
        return { ...done, ...(done.remaining && position !== undefined ? { next: position } : {}) };
      };

      const endMs = performance.now() + budgetMs;
      for (
        let isFirst = true;
        done.remaining && (isFirst || performance.now() < endMs) && closing?.aborted !== true;
        isFirst = false
      ) {
        const met = await walk.more(position, chunkSize);
        const fitting = await readFittingRequests(redis, keySpace, met, filter);
        try {
          for (const [caller, retries] of byCaller(fitting, order, done)) {
            await begin();
            count(await order.accept(retries, caller), done);
          }
        } catch (error) {
          throw new RetryStoppedError(await end(), { cause: error });
        }
        position = met.at(-1)?.position ?? position;
        done.remaining = met.length === chunkSize;
      }
      return end();
    },
  };
}

/** What is to be asked again, by whose it is. */
function byCaller(
  requests: readonly StoredRequest[],
  { actor, nowMs, notAfter }: RetryOrder,
  done: BulkRetried,
): Map<string, Retry[]> {
  const groups = new Map<string, Retry[]>();
  for (const stored of requests) {
    const retry = retryOf(stored, { nowMs, notAfter, force: false });
    if (stored.document.retriedBy !== undefined) done.alreadyRetried += 1;
    else if (!retry) done.deadlinePassed += 1;
    else {
      const caller = stored.caller ?? actor.name;
      groups.set(caller, [...(groups.get(caller) ?? []), retry]);
    }
  }
  return groups;
}

function count(outcomes: readonly RetryOutcome[], done: BulkRetried): void {
  for (const outcome of outcomes) {
    if (outcome === 'already_retried') done.alreadyRetried += 1;
    else if (outcome === 'too_many_joined') done.tooManyJoined += 1;
    else done.retried += 1;
    if (outcome === 'coalesced') done.coalesced += 1;
  }
}
