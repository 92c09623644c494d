import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { z } from 'zod';
import { resultOutcomes } from '@diq/contracts/result-outcome.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import { pairDigest, sourceDigest } from '../requests/correlation-digest.ts';
import { below, boundsOf, idRange } from '../requests/id-range.ts';
import { pairsOf } from '../requests/request-filter.ts';
import type { RequestFilter } from '../requests/request-filter.ts';
import { parseBatch } from '../requests/request-reader.ts';
import type { StoredBatch } from '../requests/request-reader.ts';
import { repliesOf } from '../scheduling/job-queue.ts';
import { storeKeys } from '../store-keys.ts';

/** What batches are looked for by; without any field, all of them. */
export interface BatchFilter extends Pick<RequestFilter, 'fromMs' | 'toMs'> {
  /** Some of its requests have this source. */
  source?: string | undefined;
  /** Some of its requests have each of these pairs; not necessarily the same ones. */
  correlation?: RequestFilter['correlation'];
  isComplete?: boolean | undefined;
}

/** Without what is only kept for the estimate of its completion. */
export type ListedBatch = Omit<StoredBatch, 'tail'>;

export interface BatchPage {
  batches: ListedBatch[];
  /** The position to go on from; `undefined` at the end. A page may be short, or empty, and still have one. */
  next: string | undefined;
}

/** Batches looked at for one page, whether they fit or not. */
const lookAtMost = 2_000;
/** Read in one go, where not all that are met fit: of each some hundred bytes. */
const readTogether = 250;
/** Where they do: some may be gone. */
const fewestTogether = 25;

const fields = [
  'createdAt',
  'completedAt',
  'total',
  'rejected',
  'caller',
  'callback',
  'delivery',
  'endedAt',
  ...resultOutcomes.map((outcome) => `results:${outcome}`),
  ...requestStatuses,
];
const row = z.array(z.string().nullable());
const scoreReply = z.string().nullable();

/** Batches that were accepted, newest first. A batch is found by the sources and pairs of its items, see `foundBy`. */
export function createBatchList(redis: RedisConnection, keySpace: string) {
  const keys = storeKeys(keySpace);

  /** What all batches that fit are listed under; the first has the fewest. */
  async function choosePrefixes(filter: BatchFilter): Promise<[first: string, ...others: string[]]> {
    const { source, correlation } = filter;
    const digests = [
      ...(source === undefined ? [] : [sourceDigest(source)]),
      ...pairsOf(correlation).map(([key, value]) => pairDigest(key, value)),
    ];
    const [only = ':', ...more] = digests;
    if (more.length === 0) return [only];
    const range = idRange(filter);
    const counts = await Promise.all(
      digests.map((prefix) => redis.zlexcount(keys.batches, ...boundsOf(prefix, range))),
    );
    const first = digests[counts.indexOf(Math.min(...counts))] ?? only;
    return [first, ...digests.filter((one) => one !== first)];
  }

  /** In their order, `undefined` for one that is gone or is not listed under all of these. */
  async function read(
    ids: readonly string[],
    prefixes: readonly string[],
  ): Promise<(ListedBatch | undefined)[]> {
    const pipeline = plainPipeline(redis);
    for (const id of ids) {
      pipeline.hmget(keys.batch(id), ...fields);
      for (const prefix of prefixes) pipeline.zscore(keys.batches, prefix + id);
    }
    const replies = await repliesOf(pipeline);
    const width = 1 + prefixes.length;
    return ids.map((id, i) => {
      const [values, ...listed] = replies.slice(i * width, (i + 1) * width);
      const found = row.parse(values);
      const isThere = found[0] !== null && listed.every((score) => scoreReply.parse(score) !== null);
      return isThere ? batchOf(id, found) : undefined;
    });
  }

  return {
    /** At most `limit` batches that fit, behind a position that an earlier page ended with. */
    async page(filter: BatchFilter, limit: number, position?: string): Promise<BatchPage> {
      const [prefix, ...others] = await choosePrefixes(filter);
      const range = idRange(filter);
      const isExact = filter.isComplete === undefined && others.length === 0;
      const together = isExact ? Math.max(fewestTogether, limit) : readTogether;
      const batches: ListedBatch[] = [];
      let next = position;
      for (let lookedAt = 0; lookedAt < lookAtMost; lookedAt += together) {
        const [low, high] = boundsOf(prefix, { ...range, high: below(next, range) });
        // One more than is read tells whether there is more.
        const members = await redis.zrange(keys.batches, high, low, 'BYLEX', 'REV', 'LIMIT', 0, together + 1);
        const ids = members.map((member) => member.slice(prefix.length));
        const looked = ids.slice(0, together);
        for (const [i, found] of (await read(looked, others)).entries()) {
          next = looked[i];
          if (found && fits(found, filter)) batches.push(found);
          if (batches.length === limit) return { batches, next: i + 1 < ids.length ? next : undefined };
        }
        if (ids.length <= together) return { batches, next: undefined };
      }
      return { batches, next };
    },
  };
}

function batchOf(id: string, values: readonly (string | null)[]): ListedBatch {
  const hash = Object.fromEntries(
    fields.flatMap((name, i) => {
      const value = values[i];
      return value === null || value === undefined ? [] : [[name, value] as const];
    }),
  );
  const { tail: _, ...batch } = parseBatch(id, hash);
  return batch;
}

function fits({ isComplete, createdAtMs }: ListedBatch, filter: BatchFilter): boolean {
  const { fromMs, toMs } = filter;
  return (
    (filter.isComplete === undefined || filter.isComplete === isComplete) &&
    (fromMs === undefined || createdAtMs >= fromMs) &&
    (toMs === undefined || createdAtMs < toMs)
  );
}
