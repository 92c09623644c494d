import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import { loadScript } from '@diq/redis/script.ts';
import { pairDigest } from './correlation-digest.ts';
import { below, boundsOf, idRange } from './id-range.ts';
import type { IdRange } from './id-range.ts';
import { pairsOf } from './request-filter.ts';
import type { RequestFilter } from './request-filter.ts';
import { storeKeys } from '../store-keys.ts';

const newestScript = loadScript(new URL('../lua/list-newest.lua', import.meta.url));
const listsReply = z.array(z.array(z.string()));

/** A request met on a walk, and the position from which the walk goes on behind it. */
export interface Met {
  id: string;
  position: string;
}

/**
 * Goes through an index from the newest request to the oldest. `more` meets at most `count` requests behind a position;
 * fewer only at the end. What arrives meanwhile is newer than any position and changes nothing behind it.
 */
export interface RequestWalk {
  /** What the index is ordered by. */
  by: 'machine' | 'batch' | 'source' | 'correlation' | 'outcome' | 'status';
  more(position: string | undefined, count: number): Promise<Met[]>;
}

/**
 * The walk that meets every request of a filter and the fewest others. The caller of the walk looks at each request itself: an
 * index may hold one that fits no longer, or whose retention has just ended.
 */
export async function chooseWalk(
  redis: RedisConnection,
  keySpace: string,
  filter: RequestFilter,
): Promise<RequestWalk> {
  const { machineId, batchId, source, status, outcome, correlation } = filter;
  const keys = storeKeys(keySpace);
  const range = idRange(filter);
  if (machineId !== undefined) return walkMachine(redis, keySpace, machineId, range);
  if (batchId !== undefined) return walkBatch(redis, keys.batchItems(batchId));
  const pairs = pairsOf(correlation).map(([key, value]): Listed => ({
    by: 'correlation',
    key: keys.byCorrelation,
    prefix: pairDigest(key, value),
  }));
  const listed: Listed[] = [
    ...(source === undefined ? [] : [{ by: 'source' as const, key: keys.bySource, prefix: `${source}\0` }]),
    ...(outcome === undefined
      ? []
      : [{ by: 'outcome' as const, key: keys.byOutcome, prefix: `${outcome}:` }]),
    ...pairs,
  ];
  const [only] = listed;
  if (!only) return walkStatuses(redis, keySpace, status ?? requestStatuses, range);
  if (listed.length === 1 && status === undefined) return walkPrefix(redis, only, range);
  const [counts, ofStatus] = await Promise.all([
    Promise.all(listed.map(({ key, prefix }) => redis.zlexcount(key, ...boundsOf(prefix, range)))),
    Promise.all((status ?? []).map((one) => redis.zlexcount(keys.listed(one), ...boundsOf('', range)))),
  ]);
  const fewest = Math.min(...counts);
  if (status && ofStatus.reduce((sum, one) => sum + one, 0) < fewest)
    return walkStatuses(redis, keySpace, status, range);
  return walkPrefix(redis, listed[counts.indexOf(fewest)] ?? only, range);
}

/** Requests of one sorted set whose members begin with the prefix. */
interface Listed {
  by: RequestWalk['by'];
  key: string;
  prefix: string;
}

function walkPrefix(redis: RedisConnection, { by, key, prefix }: Listed, range: IdRange): RequestWalk {
  return {
    by,
    async more(position, count) {
      const [low, high] = boundsOf(prefix, { ...range, high: below(position, range) });
      const members = await redis.zrange(key, high, low, 'BYLEX', 'REV', 'LIMIT', 0, count);
      return members.map((member) => met(member.slice(prefix.length)));
    },
  };
}

/** The first request of an open task is found through the task; see `lua/lib/indexes.lua`. */
function walkMachine(
  redis: RedisConnection,
  keySpace: string,
  machineId: string,
  range: IdRange,
): RequestWalk {
  const keys = storeKeys(keySpace);
  const listed = walkPrefix(redis, { by: 'machine', key: keys.byMachine, prefix: `${machineId}:` }, range);
  return {
    by: 'machine',
    async more(position, count) {
      // In this order: one that leaves the task meanwhile is in the index by then.
      const taskId = await redis.hget(keys.machines, machineId);
      const first = taskId === null ? null : await redis.hget(keys.task(taskId), 'first');
      const ids = (await listed.more(position, count)).map(({ id }) => id);
      if (first !== null && first >= range.low && first < below(position, range)) ids.push(first);
      return newestOf(ids, count);
    },
  };
}

/** The indexes of several statuses as one. Read in one step, so that a request which moves is met once. */
function walkStatuses(
  redis: RedisConnection,
  keySpace: string,
  statuses: readonly RequestStatus[],
  range: IdRange,
): RequestWalk {
  const keys = storeKeys(keySpace);
  return {
    by: 'status',
    async more(position, count) {
      const [low, high] = boundsOf('', { ...range, high: below(position, range) });
      const lists = await newestScript(redis, statuses.map(keys.listed), [high, low, count]);
      return newestOf(listsReply.parse(lists).flat(), count);
    },
  };
}

/** The list of a batch, from its end; a position is the index of the entry that comes next. */
function walkBatch(redis: RedisConnection, key: string): RequestWalk {
  return {
    by: 'batch',
    async more(position, count) {
      const found: Met[] = [];
      let last = position === undefined ? (await redis.llen(key)) - 1 : Number(position);
      while (last >= 0 && found.length < count) {
        const first = Math.max(0, last - (count - found.length) + 1);
        const entries = await redis.lrange(key, first, last);
        for (const [i, entry] of [...entries.entries()].toReversed()) {
          // Others are refusals.
          if (!entry.startsWith('{')) found.push({ id: entry, position: String(first + i - 1) });
        }
        last = first - 1;
      }
      return found;
    },
  };
}

function newestOf(ids: readonly string[], count: number): Met[] {
  return [...new Set(ids)].toSorted().toReversed().slice(0, count).map(met);
}

function met(id: string): Met {
  return { id, position: id };
}
