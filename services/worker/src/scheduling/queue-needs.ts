import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { z } from 'zod';
import { repliesOf } from '@diq/queue/scheduling/job-queue.ts';
import { queueName, storeKeys } from '@diq/queue/store-keys.ts';

/** What there is to be done in a queue, and when. Times are milliseconds of Redis' clock. */
export interface QueueNeeds {
  /** Jobs that can be claimed now. */
  ready: number;
  /** Jobs that a worker holds, or held when it died. */
  claimed: number;
  /** Tasks that wait for their call. */
  waiting: number;
  /** Tasks that wait for their turn on their machine, and have no job. */
  blocked: number;
  /** Tasks that Defender runs: called or looked up, or with a result whose end was not seen yet, where results are followed. */
  running: number;
  /** Tasks whose machine was asked for by name and is not known yet. */
  unresolved: number;
  /** Tasks that were set aside after a refusal. */
  aside: number;
  /** The first deadline of a queued request. */
  deadlineMs: number | undefined;
  /** When the oldest call without a stored outcome began. */
  callBeganMs: number | undefined;
  /** When Defender is to be asked next about a call whose answer was lost. */
  queryMs: number | undefined;
  /** When Defender is to be read next for the end of a result. */
  resultMs: number | undefined;
}

const count = z.number();
const first = z.array(z.string()).transform(([, score]) => (score === undefined ? undefined : Number(score)));
const counts = [count, count, count, count, count, count, count, count, count, count] as const;
const replies = z.tuple([...counts, first, first, first, first]);

/** Reads in one round trip what there is to be done. */
export function createReadNeeds(
  redis: RedisConnection,
  keySpace: string,
  { followsResults = true }: { followsResults?: boolean } = {},
): () => Promise<QueueNeeds> {
  const keys = storeKeys(keySpace);
  const { aside } = ledgerKeys(keySpace);
  const bullmq = (name: string) => `${keySpace}:${queueName}:${name}`;

  return async () => {
    const pipeline = plainPipeline(redis);
    pipeline.zcard(keys.jobOrder);
    pipeline.llen(bullmq('wait'));
    pipeline.llen(bullmq('active'));
    pipeline.zcard(keys.waiting);
    pipeline.zcard(keys.blocked);
    pipeline.zcard(aside);
    pipeline.zcard(keys.unresolved);
    for (const running of [keys.inFlight, keys.reconciling, keys.results]) pipeline.zcard(running);
    for (const times of [keys.deadlines, keys.inFlight, keys.reconciling, keys.results])
      pipeline.zrange(times, 0, '0', 'WITHSCORES');
    const read = replies.parse(await repliesOf(pipeline));
    const [ordered, unordered, claimed, waiting, blocked, set, unresolved, ...others] = read;
    const [called, lookedUp, followed, deadlineMs, callBeganMs, queryMs, resultMs] = others;
    return {
      ready: ordered + unordered,
      claimed,
      waiting,
      blocked,
      aside: set,
      running: called + lookedUp + (followsResults ? followed : 0),
      unresolved,
      deadlineMs,
      callBeganMs,
      queryMs,
      resultMs: followsResults ? resultMs : undefined,
    };
  };
}
