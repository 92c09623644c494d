import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import { entryOf } from '../operations/audit-log.ts';
import type { Actor, AuditLog } from '../operations/audit-log.ts';
import type { MovedRequests } from '../tasks/task-store.ts';
import { readFitting } from './list-requests.ts';
import { chooseWalk } from './request-cursor.ts';
import type { RequestWalk } from './request-cursor.ts';
import { isExact } from './request-filter.ts';
import type { RequestFilter } from './request-filter.ts';
import { movingKeys } from '../store-keys.ts';
import type { JobQueue } from '../scheduling/job-queue.ts';

export type CancelFilter = Pick<
  RequestFilter,
  'machineId' | 'batchId' | 'source' | 'priority' | 'correlation' | 'caller'
>;

/** How long a bulk action may take, and where it begins. */
export interface BulkBounds {
  budgetMs: number;
  /** Aborted when the service is being stopped. */
  closing?: AbortSignal;
  /** The position that an earlier one ended with. */
  from?: string | undefined;
}

export interface BulkCancelled {
  cancelled: number;
  /** Fitted, and their call had been made or was being made. */
  alreadyDispatched: number;
  /** The time was up before all were looked at: asked again, it goes on. */
  remaining: boolean;
  /** Where it goes on without a look at what it has looked at; only while some remain. */
  next?: string;
}

/** Indexes in which a request stands for what it was asked with, and for nothing else. */
const exactIndexes: ReadonlySet<RequestWalk['by']> = new Set(['machine', 'batch', 'source']);

export interface BulkCancelOptions {
  redis: RedisConnection;
  keySpace: string;
  jobs: Pick<JobQueue, 'removeAll'>;
  audit: Pick<AuditLog, 'record' | 'keptMs'>;
  retentionMs: number;
  onMoved?: ((move: MovedRequests) => void) | undefined;
}

/** Requests per script: some 5 ms of Redis' time. */
const chunkSize = 250;

const script = loadScript(new URL('../lua/cancel-many.lua', import.meta.url), { whenFull: true });
/** By which the entry of what was done is longer than that of what is to be done. */
const bytesOfDone = 80;

const ids = z.array(z.string());
const reply = z.tuple([ids, ids, ids]);

export function createBulkCancel({ redis, keySpace, jobs, audit, retentionMs, onMoved }: BulkCancelOptions) {
  /** `entry`: of the actor for the audit log, '' once it stands there. */
  async function cancelChunk(requestIds: readonly string[], actor: Actor, entry: string) {
    const countedBytes = 2 * Buffer.byteLength(entry) + bytesOfDone;
    const args = [keySpace, retentionMs, entry, audit.keptMs, actor.name, countedBytes, ...requestIds];
    const [cancelled, ended, dispatching] = reply.parse(await script(redis, movingKeys(keySpace), args));
    if (cancelled.length > 0) onMoved?.({ requestIds: cancelled, from: 'queued', status: 'cancelled' });
    // A job that stays because Redis went away finds nothing to do.
    await jobs.removeAll(ended);
    return { cancelled, dispatching };
  }

  return {
    /**
     * Cancels what is queued, fits and was there when it began; newest first, in chunks, for at most about `budgetMs`, and
     * no longer than until `closing` is aborted.
     */
    async cancel(
      filter: CancelFilter,
      actor: Actor,
      { budgetMs, closing, from }: BulkBounds,
    ): Promise<BulkCancelled> {
      const open = { ...filter, status: ['queued', 'dispatching'] } as const;
      const walk = await chooseWalk(redis, keySpace, open);
      const done: BulkCancelled = { cancelled: 0, alreadyDispatched: 0, remaining: true };
      // Left with the first that is cancelled, in the same step: so there is one of all that was done, even if this process
      // dies before the end, and none where there was nothing to do, however often that is asked for.
      let entry = JSON.stringify(entryOf('cancel_many', actor, { filter }));
      let position = from;
      // However little time there is: what is asked for again and again goes on each time.
      const endMs = performance.now() + budgetMs;
      for (
        let isFirst = true;
        done.remaining && (isFirst || performance.now() < endMs) && closing?.aborted !== true;
        isFirst = false
      ) {
        const met = await walk.more(position, chunkSize);
        const isKnownToFit = isExact(filter) && exactIndexes.has(walk.by);
        const fitting = isKnownToFit ? met : await readFitting(redis, keySpace, met, open);
        if (fitting.length > 0) {
          const { cancelled, dispatching } = await cancelChunk(
            fitting.map(({ id }) => id),
            actor,
            entry,
          );
          if (cancelled.length > 0) entry = '';
          done.cancelled += cancelled.length;
          done.alreadyDispatched += dispatching.length;
        }
        position = met.at(-1)?.position ?? position;
        done.remaining = met.length === chunkSize;
      }
      if (done.cancelled > 0) await audit.record(entryOf('cancel_many_done', actor, { filter, ...done }));
      return { ...done, ...(done.remaining && position !== undefined ? { next: position } : {}) };
    },
  };
}
