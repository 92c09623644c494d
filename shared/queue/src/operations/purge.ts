import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import { entryOf } from './audit-log.ts';
import type { Actor, AuditLog } from './audit-log.ts';
import { chooseWalk } from '../requests/request-cursor.ts';
import { movingKeys, storeKeys } from '../store-keys.ts';

/** What is deleted: what has ended of a batch, or of all that is kept what fits. */
export type PurgeFilter =
  | { batchId: string }
  /** ISO 8601. */
  | { caller?: string | undefined; endedBefore?: string | undefined };

export interface Purged {
  requests: number;
  batches: number;
  /** The time was up before all were looked at: asked again, it goes on. */
  remaining: boolean;
}

interface PurgeOptions {
  redis: RedisConnection;
  keySpace: string;
  audit: Pick<AuditLog, 'record'>;
  retentionMs: number;
}

/** Requests per script: some 5 ms of Redis' time. */
const chunkSize = 250;

const scriptFile = (name: string) => new URL(`../lua/${name}.lua`, import.meta.url);
const purgeScript = loadScript(scriptFile('purge'), { whenFull: true });
const purgeBatchScript = loadScript(scriptFile('purge-batch'), { whenFull: true });
const reply = z.tuple([z.number(), z.number()]).rest(z.string());

/** What an operator deletes before its retention is over. What is open stays, whatever is asked. */
export function createPurge({ redis, keySpace, audit, retentionMs }: PurgeOptions) {
  const keys = storeKeys(keySpace);

  /** Those that ended first come first; `kept` of them stay and are passed over. */
  function endedUntil(untilMs: number, kept: number): Promise<string[]> {
    const until = String(untilMs + retentionMs);
    return redis.zrange(keys.ended, '-inf', until, 'BYSCORE', 'LIMIT', kept, chunkSize);
  }

  async function purgeBatches(ids: readonly string[], beforeMs: number | undefined): Promise<number> {
    let purged = 0;
    for (const id of ids) {
      const batchKeys = [keys.batch(id), keys.batchItems(id), keys.stored];
      purged += z.number().parse(await purgeBatchScript(redis, batchKeys, [beforeMs ?? '', keySpace, id]));
    }
    return purged;
  }

  async function purgeChunk(entries: readonly string[], caller: string | undefined) {
    const args = [keySpace, retentionMs, caller ?? '', ...entries];
    const [deleted, kept, ...batches] = reply.parse(await purgeScript(redis, movingKeys(keySpace), args));
    return { deleted, kept, batches };
  }

  /** The next chunk of what may fit, and how to go on behind it. */
  async function chooseChunks(filter: PurgeFilter) {
    if ('batchId' in filter) {
      const walk = await chooseWalk(redis, keySpace, filter);
      let position: string | undefined;
      return async () => {
        const met = await walk.more(position, chunkSize);
        position = met.at(-1)?.position;
        return met.map(({ id }) => id);
      };
    }
    const untilMs = endOf(filter) ?? Number.MAX_SAFE_INTEGER / 2;
    return (kept: number) => endedUntil(untilMs, kept);
  }

  return {
    /** Deletes what has ended and fits, for at most about `budgetMs`, and no longer than until `closing` is aborted. */
    async purge(
      filter: PurgeFilter,
      actor: Actor,
      { budgetMs, closing }: { budgetMs: number; closing?: AbortSignal },
    ): Promise<Purged> {
      const endMs = performance.now() + budgetMs;
      // Before anything is done, so that there is an entry even if this process dies before it writes the numbers.
      await audit.record(entryOf('purge', actor, { filter }));
      const nextChunk = await chooseChunks(filter);
      const caller = 'batchId' in filter ? undefined : filter.caller;
      const done: Purged = { requests: 0, batches: 0, remaining: true };
      for (let passedOver = 0; done.remaining && performance.now() < endMs && closing?.aborted !== true;) {
        const entries = await nextChunk(passedOver);
        if (entries.length > 0) {
          const { deleted, kept, batches } = await purgeChunk(entries, caller);
          passedOver += kept;
          done.requests += deleted;
          if (!('batchId' in filter)) done.batches += await purgeBatches(batches, endOf(filter));
        }
        done.remaining = entries.length === chunkSize;
      }
      // Behind its requests: until it is gone they can be found by it.
      if ('batchId' in filter && !done.remaining)
        done.batches = await purgeBatches([filter.batchId], undefined);
      await audit.record(entryOf('purge_done', actor, { filter, ...done }));
      return done;
    },
  };
}

function endOf(filter: PurgeFilter): number | undefined {
  if ('batchId' in filter || filter.endedBefore === undefined) return undefined;
  return Date.parse(filter.endedBefore);
}
