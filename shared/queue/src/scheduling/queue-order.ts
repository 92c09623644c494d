import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import type { Priority } from '@diq/contracts/priority.ts';
import { askedFor, docFields, joinDoc, type Aside } from '../requests/stored-request.ts';
import { storeKeys } from '../store-keys.ts';
import { repliesOf } from './job-queue.ts';
import { parseTaskPlace, placeFields } from './task-place.ts';
import type { TaskPlace } from './task-place.ts';

/** A task in the order, by the request that was first for it. */
export interface OrderedTask {
  taskId: string;
  machineId: string;
  source: string | undefined;
  /** Whose place it has; `undefined` where that was not recorded. */
  caller: string | undefined;
  place: TaskPlace;
}

/** A task that waits and is put aside: it has no place in the order meanwhile. */
export interface AsideTask extends Pick<OrderedTask, 'taskId' | 'machineId' | 'place'> {
  aside: Aside;
}

/** What a task counts as among those ahead of another. */
export interface Counted {
  priority: Priority;
  source: string | undefined;
}

/** The order in short: the first ones all, of the others some at equal distances. */
export interface OrderSample {
  head: readonly Counted[];
  /** Behind the head; `rank` is 0 for the first of all. */
  rest: readonly (Counted & { rank: number })[];
  /** For how many one of `rest` stands. */
  distance: number;
}

/** Of each part of a sample. */
const sampleSize = 200;

const askedInShort = z.object(askedFor.pick({ source: true }).shape);
const row = z.array(z.string().nullable());

export type QueueOrder = ReturnType<typeof createQueueOrder>;

/** Reads the tasks that wait, in the order in which they stand. One that is claimed at this moment is in it no more. */
export function createQueueOrder(redis: RedisConnection, keySpace: string) {
  const keys = storeKeys(keySpace);

  /** The requests that were first: source and caller. */
  async function readFirst(ids: readonly string[]) {
    const pipeline = redis.pipeline();
    for (const id of ids) pipeline.hmget(keys.request(id), 'caller', 'caller1', ...docFields);
    const rows = ids.length === 0 ? [] : await repliesOf(pipeline);
    return rows.map((reply) => {
      const [caller, caller1, ...parts] = row.parse(reply);
      const doc = joinDoc(parts);
      return {
        source: doc === null ? undefined : askedInShort.parse(JSON.parse(doc)).source,
        caller: caller ? caller + (caller1 ?? '') : undefined,
      };
    });
  }

  async function countedOf(taskIds: readonly string[]): Promise<(Counted | undefined)[]> {
    const pipeline = redis.pipeline();
    for (const id of taskIds) pipeline.hmget(keys.task(id), ...placeFields);
    const rows = taskIds.length === 0 ? [] : await repliesOf(pipeline);
    const places = rows.map((values) => parseTaskPlace(values, 0));
    const first = await readFirst(places.flatMap((place) => place?.first ?? []));
    const sources = first[Symbol.iterator]();
    return places.map((place) => {
      const found: { source: string | undefined } | undefined = place && sources.next().value;
      return place && { priority: place.priority, source: found?.source };
    });
  }

  return {
    /** Those that are claimed next, at most so many; without one that ends at this moment. */
    async next(limit: number): Promise<OrderedTask[]> {
      const ids = await redis.zrange(keys.jobOrder, 0, String(limit - 1));
      const pipeline = redis.pipeline();
      for (const id of ids) {
        pipeline.hmget(keys.task(id), 'machine', ...placeFields);
        pipeline.zcard(`${keys.task(id)}:joined`);
      }
      const rows = ids.length === 0 ? [] : await repliesOf(pipeline);
      const tasks = ids.flatMap((taskId, i) => {
        const [machineId, ...values] = row.parse(rows[2 * i]);
        const place = parseTaskPlace(values, z.number().parse(rows[2 * i + 1]));
        return place && machineId ? [{ taskId, machineId, place }] : [];
      });
      const first = await readFirst(tasks.map(({ place }) => place.first));
      return tasks.map((task, i) => ({
        ...task,
        source: first[i]?.source,
        caller: task.place.flowCaller ?? first[i]?.caller,
      }));
    },

    /** Those that are put aside, at most so many for each reason, what was asked for first ahead. */
    async aside(limit: number): Promise<AsideTask[]> {
      const [busy, offline] = await Promise.all(
        [keys.blocked, keys.offline].map((key) => redis.zrange(key, 0, String(limit - 1))),
      );
      const known = new Set(offline);
      const ids = [...known, ...(busy ?? []).filter((id) => !known.has(id))];
      const pipeline = redis.pipeline();
      for (const id of ids) pipeline.hmget(keys.task(id), 'state', 'machine', 'offlineSince', ...placeFields);
      const rows = ids.length === 0 ? [] : await repliesOf(pipeline);
      const tasks = ids.flatMap((taskId, i) => {
        const [state, machineId, since, ...values] = row.parse(rows[i]);
        const place = parseTaskPlace(values, 0);
        // One that was cancelled or called meanwhile is taken out at the next look.
        if (state !== 'waiting' || !machineId || !place) return [];
        const aside: Aside = known.has(taskId)
          ? { reason: 'machine_offline', sinceMs: since ? Number(since) : undefined }
          : { reason: 'machine_busy', sinceMs: undefined };
        return [{ taskId, machineId, place, aside }];
      });
      return tasks.toSorted((one, other) => one.place.createdAtMs - other.place.createdAtMs);
    },

    /** Of the request that was first for a task: what its place is by. */
    async firstOf(requestId: string) {
      const [first] = await readFirst([requestId]);
      return first ?? { source: undefined, caller: undefined };
    },

    /** The same for each of these, in their order, by one pipeline. */
    firstOfEach: readFirst,

    /** Reads some hundred tasks, however many wait. */
    async sample(): Promise<OrderSample> {
      const [ids, waiting] = await Promise.all([
        redis.zrange(keys.jobOrder, 0, String(sampleSize - 1)),
        redis.zcard(keys.jobOrder),
      ]);
      const distance = Math.max(1, (waiting - sampleSize) / sampleSize);
      const ranks = Array.from({ length: Math.min(sampleSize, Math.max(0, waiting - sampleSize)) }, (_, i) =>
        Math.floor(sampleSize + i * distance),
      );
      const pipeline = redis.pipeline();
      for (const rank of ranks) pipeline.zrange(keys.jobOrder, rank, String(rank));
      const found = ranks.length === 0 ? [] : z.array(z.array(z.string())).parse(await repliesOf(pipeline));
      const [head, rest] = await Promise.all([countedOf(ids), countedOf(found.map(([id = '']) => id))]);
      return {
        head: head.filter((one) => one !== undefined),
        rest: rest.flatMap((one, i) => (one ? [{ ...one, rank: ranks[i] ?? 0 }] : [])),
        distance,
      };
    },
  };
}
