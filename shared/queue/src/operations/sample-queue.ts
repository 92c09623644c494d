import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { z } from 'zod';
import type { Priority } from '@diq/contracts/priority.ts';
import { storeKeys } from '../store-keys.ts';
import { askedFor, docFields, joinDoc } from '../requests/stored-request.ts';
import { repliesOf } from '../scheduling/job-queue.ts';

/** What a queued request says of itself, as far as it is counted by. */
export interface QueuedRequest {
  id: string;
  source: string | undefined;
  priority: Priority;
  createdAtMs: number;
}

/** Queued requests: all of them, or some of many. */
export interface QueueSample {
  /** How many are queued. */
  queued: number;
  /** Whether `some` are all. */
  isComplete: boolean;
  /** Claimed at random, each with the same chance. */
  some: QueuedRequest[];
  /** Those that wait for the longest. */
  oldest: QueuedRequest[];
}

/** Not strict: the rest is not looked at. */
const counted = z.object(askedFor.pick({ source: true, priority: true, at: true }).shape);

const docReply = z.array(z.string().nullable());

/** `size`: up to so many requests are read one and all, of more so many at random and the oldest ones. */
export function createQueueSampling(redis: RedisConnection, keySpace: string, size = 250) {
  const keys = storeKeys(keySpace);
  const queuedKey = keys.listed('queued');

  async function readAll(ids: readonly string[]): Promise<QueuedRequest[]> {
    const pipeline = plainPipeline(redis);
    for (const id of ids) pipeline.hmget(keys.request(id), ...docFields);
    const docs = ids.length === 0 ? [] : await repliesOf(pipeline);
    return docs.flatMap((parts, i) => parseDoc(ids[i] ?? '', joinDoc(docReply.parse(parts))) ?? []);
  }

  return {
    /** Reads at most twice `size` requests, however many are queued. */
    async sample(): Promise<QueueSample> {
      // One more than are read tells whether there are more.
      const [queued, oldestIds] = await Promise.all([
        redis.zcard(queuedKey),
        redis.zrange(queuedKey, 0, String(size)),
      ]);
      const oldest = await readAll(oldestIds.slice(0, size));
      if (oldestIds.length <= size) return { queued, isComplete: true, some: oldest, oldest };
      const randomIds = z.array(z.string()).parse(await redis.zrandmember(queuedKey, size));
      return { queued, isComplete: false, some: await readAll(randomIds), oldest };
    },
  };
}

/** `undefined` for one that is gone meanwhile. */
function parseDoc(id: string, doc: string | null): QueuedRequest | undefined {
  if (doc === null) return undefined;
  const { source, priority, at } = counted.parse(JSON.parse(doc));
  return { id, source, priority, createdAtMs: at };
}
