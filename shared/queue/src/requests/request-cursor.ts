import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from '../store-keys.ts';

const newestScript = loadScript(new URL('../lua/list-newest.lua', import.meta.url));
const listsReply = z.array(z.array(z.string()));

/** What requests are looked for by; without any field, all of them. */
export interface RequestFilter {
  /** Any of these. */
  status?: readonly RequestStatus[] | undefined;
  machineId?: string | undefined;
  batchId?: string | undefined;
  source?: string | undefined;
  /** Who asked, by the name of the credential. */
  caller?: string | undefined;
}

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
  by: 'machine' | 'batch' | 'source' | 'status';
  more(position: string | undefined, count: number): Promise<Met[]>;
}

/**
 * The walk that meets every request of a filter and the fewest others. The caller of the walk looks at each request itself: an
 * index may hold one that fits no longer, or whose retention has just ended.
 */
export async function chooseWalk(
  redis: RedisConnection,
  keySpace: string,
  { status, machineId, batchId, source }: RequestFilter,
): Promise<RequestWalk> {
  const keys = storeKeys(keySpace);
  if (machineId !== undefined) return walkMachine(redis, keySpace, machineId);
  if (batchId !== undefined) return walkBatch(redis, keys.batchItems(batchId));
  if (source === undefined) return walkStatuses(redis, keySpace, status ?? requestStatuses);
  if (status !== undefined) {
    const [ofSource, ...ofStatus] = await Promise.all([
      redis.zlexcount(keys.bySource, `[${source}\0`, `(${source}\u0001`),
      ...status.map((one) => redis.zcard(keys.listed(one))),
    ]);
    if (ofStatus.reduce((sum, one) => sum + one, 0) < ofSource) return walkStatuses(redis, keySpace, status);
  }
  return { by: 'source', ...walkPrefix(redis, keys.bySource, `${source}\0`, `${source}\u0001`) };
}

/** Members of one sorted set that begin with the prefix. `behind` is the least text behind all of them. */
function walkPrefix(
  redis: RedisConnection,
  key: string,
  prefix: string,
  behind: string,
): Pick<RequestWalk, 'more'> {
  return {
    async more(position, count) {
      const below = position === undefined ? behind : prefix + position;
      const members = await redis.zrange(key, `(${below}`, `[${prefix}`, 'BYLEX', 'REV', 'LIMIT', 0, count);
      return members.map((member) => met(member.slice(prefix.length)));
    },
  };
}

/** The first request of an open task is found through the task; see `lua/lib/indexes.lua`. */
function walkMachine(redis: RedisConnection, keySpace: string, machineId: string): RequestWalk {
  const keys = storeKeys(keySpace);
  const listed = walkPrefix(redis, keys.byMachine, `${machineId}:`, `${machineId};`);
  return {
    by: 'machine',
    async more(position, count) {
      // In this order: one that leaves the task meanwhile is in the index by then.
      const taskId = await redis.hget(keys.machines, machineId);
      const first = taskId === null ? null : await redis.hget(keys.task(taskId), 'first');
      const ids = (await listed.more(position, count)).map(({ id }) => id);
      if (first !== null && (position === undefined || first < position)) ids.push(first);
      return newestOf(ids, count);
    },
  };
}

/** The indexes of several statuses as one. Read in one step, so that a request which moves is met once. */
function walkStatuses(
  redis: RedisConnection,
  keySpace: string,
  statuses: readonly RequestStatus[],
): RequestWalk {
  const keys = storeKeys(keySpace);
  return {
    by: 'status',
    async more(position, count) {
      const below = position === undefined ? '+' : `(${position}`;
      const lists = await newestScript(redis, statuses.map(keys.listed), [below, count]);
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
