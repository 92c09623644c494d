import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { loadScript } from '@diq/redis/script.ts';
import { z } from 'zod';
import { priorities, type Priority } from '@diq/contracts/priority.ts';
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

/** How many of the first ones a sample has, and how many of the others. */
const sampleSize = { head: 100, rest: 100 };

const askedInShort = z.object(askedFor.pick({ source: true }).shape);
const row = z.array(z.string().nullable());

const sampleScript = loadScript(new URL('../lua/sample-order.lua', import.meta.url));
const sampleReply = z.tuple([z.number(), z.array(z.string()), z.array(z.union([z.string(), z.number()]))]);

export type QueueOrder = ReturnType<typeof createQueueOrder>;

/** Reads the tasks that wait, in the order in which they stand. One that is claimed at this moment is in it no more. */
export function createQueueOrder(redis: RedisConnection, keySpace: string) {
  const keys = storeKeys(keySpace);

  /** The requests that were first: source and caller. */
  async function readFirst(ids: readonly string[]) {
    const pipeline = plainPipeline(redis);
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

  return {
    /** Those that are claimed next, at most so many; without one that ends at this moment. */
    async next(limit: number): Promise<OrderedTask[]> {
      const ids = await redis.zrange(keys.jobOrder, 0, String(limit - 1));
      const pipeline = plainPipeline(redis);
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
      const pipeline = plainPipeline(redis);
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
      const [waiting, first, others] = sampleReply.parse(
        await sampleScript(
          redis,
          [keys.jobOrder],
          [sampleSize.head, sampleSize.rest, keys.task(''), keys.request(''), ...docFields],
        ),
      );
      return {
        head: inRows(first, 2).flatMap(counted),
        rest: inRows(others, 3).flatMap(([rank, ...one]) =>
          counted(one).map((task) => ({ ...task, rank: Number(rank) })),
        ),
        distance: Math.max(1, (waiting - sampleSize.head) / sampleSize.rest),
      };
    },
  };
}

const inRows = <T>(values: readonly T[], width: number): T[][] =>
  Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));

/** None for one whose class cannot be read. */
function counted([priority, source]: readonly (string | number)[]): Counted[] {
  const known = priorities.find((one) => one === priority);
  return known === undefined ? [] : [{ priority: known, source: source === '' ? undefined : String(source) }];
}
