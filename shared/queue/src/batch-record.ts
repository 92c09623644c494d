import type { Redis } from 'ioredis';
import { loadScript } from '@diq/quota/script.ts';
import { storeKeys } from './store-keys.ts';
import { repliesOf } from './ticket-queue.ts';

interface NewBatch {
  batchId: string;
  nowMs: number;
  /** In input order: a request id, or the JSON of a rejected item. */
  items: readonly string[];
  rejected: number;
  retentionMs: number;
}

const sealScript = loadScript(new URL('./lua/seal-batch.lua', import.meta.url));

/** List elements per command. */
const pushSize = 1_000;

/**
 * Opens a batch before its requests are recorded. Until it is sealed it cannot complete, and it goes away by itself if
 * it is never sealed: then nobody was told of it.
 */
export async function openBatch(redis: Redis, keySpace: string, batch: NewBatch): Promise<void> {
  const keys = storeKeys(keySpace);
  const [record, list] = [keys.batch(batch.batchId), keys.batchItems(batch.batchId)];
  const pipeline = redis.pipeline();
  pipeline.hset(record, {
    createdAt: batch.nowMs,
    total: batch.items.length,
    rejected: batch.rejected,
    accepting: 1,
  });
  for (let i = 0; i < batch.items.length; i += pushSize)
    pipeline.rpush(list, ...batch.items.slice(i, i + pushSize));
  pipeline.pexpire(record, batch.retentionMs);
  pipeline.pexpire(list, batch.retentionMs);
  await repliesOf(pipeline);
}

/** Closes a batch once all its requests are recorded; from now on it completes with the last of them. */
export async function sealBatch(
  redis: Redis,
  keySpace: string,
  { batchId, retentionMs }: { batchId: string; retentionMs: number },
): Promise<void> {
  const keys = storeKeys(keySpace);
  await sealScript(redis, [keys.batch(batchId), keys.batchItems(batchId)], [retentionMs]);
}
