import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';
import { z } from 'zod';
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
  /** Tasks that are put behind others, since Defender gets no reports of their machine, and have no job. */
  offline: number;
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

const script = loadScript(new URL('./lua/read-needs.lua', import.meta.url));
const count = z.number();
const counts = z.tuple([count, count, count, count, count, count, count, count, count, count, count]);
const time = z.string().transform((score) => (score === '' ? undefined : Number(score)));
const reply = z.tuple([counts, z.tuple([time, time, time, time])]);

/** Reads at one instant what there is to be done. */
export function createReadNeeds(
  redis: RedisConnection,
  keySpace: string,
  { followsResults = true }: { followsResults?: boolean } = {},
): () => Promise<QueueNeeds> {
  const keys = storeKeys(keySpace);
  const { aside } = ledgerKeys(keySpace);
  const bullmq = (name: string) => `${keySpace}:${queueName}:${name}`;
  const jobs = [keys.jobOrder, bullmq('wait'), bullmq('active')];
  const tasks = [keys.waiting, keys.blocked, aside, keys.unresolved];
  const scriptKeys = [
    ...jobs,
    ...tasks,
    keys.inFlight,
    keys.reconciling,
    keys.results,
    keys.deadlines,
    keys.offline,
  ];

  return async () => {
    const [numbers, times] = reply.parse(await script(redis, scriptKeys, []));
    const [ordered, unordered, claimed, waiting, blocked, set, unresolved, ...others] = numbers;
    const [called, lookedUp, followed, offline] = others;
    const [deadlineMs, callBeganMs, queryMs, resultMs] = times;
    return {
      ready: ordered + unordered,
      claimed,
      waiting,
      blocked,
      offline,
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
