import type { Redis } from 'ioredis';
import { z } from 'zod';
import { loadScript, whenFull } from '@diq/redis/script.ts';
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

export interface BulkCancel {
  /**
   * Cancels what is queued, fits and was there when it began; newest first, in chunks, for at most about `budgetMs`, and
   * no longer than until `closing` is aborted.
   */
  cancel(
    filter: CancelFilter,
    actor: Actor,
    bounds: { budgetMs: number; closing?: AbortSignal },
  ): Promise<BulkCancelled>;
}

export interface BulkCancelOptions {
  redis: Redis;
  keySpace: string;
  jobs: Pick<JobQueue, 'removeAll'>;
  audit: Pick<AuditLog, 'record'>;
  retentionMs: number;
  onMoved?: ((move: MovedRequests) => void) | undefined;
}

/** Requests per script: some 5 ms of Redis' time. */
const chunkSize = 250;

const scriptFile = (name: string) => new URL(`../lua/${name}.lua`, import.meta.url);
const script = loadScript(whenFull, ...['indexes', 'stored-bytes', 'detach', 'cancel-many'].map(scriptFile));
const ids = z.array(z.string());
const reply = z.tuple([ids, ids, ids]);

export function createBulkCancel({
  redis,
  keySpace,
  jobs,
  audit,
  retentionMs,
  onMoved,
}: BulkCancelOptions): BulkCancel {
  async function cancelChunk(requestIds: readonly string[]) {
    const args = [keySpace, retentionMs, ...requestIds];
    const [cancelled, ended, dispatching] = reply.parse(await script(redis, movingKeys(keySpace), args));
    if (cancelled.length > 0) onMoved?.({ requestIds: cancelled, from: 'queued', status: 'cancelled' });
    // A job that stays because Redis went away finds nothing to do.
    await jobs.removeAll(ended);
    return { cancelled, dispatching };
  }

  return {
    async cancel(filter, actor, { budgetMs, closing }) {
      const endMs = performance.now() + budgetMs;
      const open = { ...filter, status: ['queued', 'dispatching'] } as const;
      const walk = await chooseWalk(redis, keySpace, open);
      const done: BulkCancelled = { cancelled: 0, alreadyDispatched: 0, remaining: true };
      let isRecorded = false;
      for (
        let position: string | undefined;
        done.remaining && performance.now() < endMs && closing?.aborted !== true;
      ) {
        const met = await walk.more(position, chunkSize);
        const isKnownToFit = isExact(filter) && walk.by !== 'status' && isRecorded;
        const fitting = isKnownToFit ? met : await readFitting(redis, keySpace, met, open);
        if (fitting.length > 0) {
          // Before anything is done, so that there is an entry even if nobody lives to write the numbers; and none where
          // nothing is to be done, however often that is asked for.
          if (!isRecorded) await audit.record(entryOf('cancel_many', actor, { filter }));
          isRecorded = true;
          const { cancelled, dispatching } = await cancelChunk(fitting.map(({ id }) => id));
          done.cancelled += cancelled.length;
          done.alreadyDispatched += dispatching.length;
        }
        position = met.at(-1)?.position;
        done.remaining = met.length === chunkSize;
      }
      if (isRecorded) await audit.record(entryOf('cancel_many_done', actor, { filter, ...done }));
      return done;
    },
  };
}
