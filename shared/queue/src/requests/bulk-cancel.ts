import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import { entryOf } from '../operations/audit-log.ts';
import type { Actor, AuditLog } from '../operations/audit-log.ts';
import type { MovedRequests } from '../tasks/task-store.ts';
import { isExact, readFitting } from './list-requests.ts';
import { chooseWalk } from './request-cursor.ts';
import type { RequestFilter } from './request-cursor.ts';
import { movingKeys } from '../store-keys.ts';
import type { JobQueue } from '../scheduling/job-queue.ts';

export type CancelFilter = Pick<RequestFilter, 'machineId' | 'batchId' | 'source' | 'caller'>;

export interface BulkCancelled {
  cancelled: number;
  /** Fitted, and their call had been made or was being made. */
  alreadyDispatched: number;
  /** The time was up before all were looked at: asked again, it goes on. */
  remaining: boolean;
}

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
      { budgetMs, closing }: { budgetMs: number; closing?: AbortSignal },
    ): Promise<BulkCancelled> {
      const endMs = performance.now() + budgetMs;
      const open = { ...filter, status: ['queued', 'dispatching'] } as const;
      const walk = await chooseWalk(redis, keySpace, open);
      const done: BulkCancelled = { cancelled: 0, alreadyDispatched: 0, remaining: true };
      // Left with the first that is cancelled, in the same step: so there is one of all that was done, even if this process
      // dies before the end, and none where there was nothing to do, however often that is asked for.
      let entry = JSON.stringify(entryOf('cancel_many', actor, { filter }));
      for (
        let position: string | undefined;
        done.remaining && performance.now() < endMs && closing?.aborted !== true;
      ) {
        const met = await walk.more(position, chunkSize);
        const isKnownToFit = isExact(filter) && walk.by !== 'status';
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
        position = met.at(-1)?.position;
        done.remaining = met.length === chunkSize;
      }
      if (done.cancelled > 0) await audit.record(entryOf('cancel_many_done', actor, { filter, ...done }));
      return done;
    },
  };
}
