import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { storeKeys } from '../store-keys.ts';
import { repliesOf } from '../scheduling/job-queue.ts';

/** The fields that a request has of its result once that has ended, and its task before. */
const resultFields = ['outcome', 'shown', 'checkedAt', 'beganAt', 'overAt', 'why'] as const;

const fieldsReply = z.array(z.string().nullable());

type Hash = Record<string, string>;

/**
 * Adds to records of requests what their tasks have of a result that is followed: one round trip for all of them, and none where
 * each has its outcome itself. Of many requests that share a result the task shows the end before the last of them.
 */
export async function joinOpenResults(
  redis: RedisConnection,
  keySpace: string,
  hashes: readonly Hash[],
): Promise<Hash[]> {
  const open = hashes.filter(hasOpenResult);
  if (open.length === 0) return [...hashes];
  const { task } = storeKeys(keySpace);
  const pipeline = redis.pipeline();
  for (const hash of open) pipeline.hmget(task(hash['task'] ?? ''), ...resultFields);
  const replies = await repliesOf(pipeline);
  const joined = new Map(open.map((hash, i) => [hash, { ...hash, ...fieldsIn(replies[i]) }]));
  return hashes.map((hash) => joined.get(hash) ?? hash);
}

function hasOpenResult(hash: Hash): boolean {
  const hasResult = hash['investigationId'] !== undefined || hash['actionId'] !== undefined;
  return hash['status'] === 'started' && hasResult && hash['outcome'] === undefined;
}

function fieldsIn(reply: unknown): Hash {
  const values = fieldsReply.parse(reply);
  return Object.fromEntries(
    resultFields.flatMap((name, i) => {
      const value = values[i];
      return value === null || value === undefined ? [] : [[name, value]];
    }),
  );
}
