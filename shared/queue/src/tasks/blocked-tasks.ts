import { z } from 'zod';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { loadScript } from '@diq/redis/script.ts';
import type { PlacedAct } from '../machine-order/machine-order.ts';
import { keyWithoutPlace } from '../admission/sharing.ts';
import { repliesOf, type Job } from '../scheduling/job-queue.ts';
import { parseTaskPlace, placeFields, type TaskPlace } from '../scheduling/task-place.ts';
import { storeKeys } from '../store-keys.ts';

/** A task that waits for its turn on its machine. */
export interface BlockedTask extends Omit<PlacedAct, 'operation'> {
  readonly taskId: string;
  readonly jobPriority: number;
  /** Where it stands in the order of its queue; `undefined` for a corrupt one. */
  readonly standing: TaskPlace | undefined;
}

const blockScript = loadScript(new URL('../lua/block.lua', import.meta.url), { whenFull: true });
const listScript = loadScript(new URL('../lua/list-blocked.lua', import.meta.url), { whenFull: true });
const ids = z.array(z.string());
const numbers = z.array(z.coerce.number());
const rows = z.array(z.array(z.string().nullable()));

export type BlockedTasks = ReturnType<typeof createBlockedTasks>;

/** Tasks that wait for something else than a slot: they have no job until they are unblocked, and so use up no permit. */
export function createBlockedTasks(redis: RedisConnection, keySpace: string) {
  const keys = storeKeys(keySpace);
  const scriptKeys = [keys.blocked, keys.waiting, keys.blockedCallers];

  return {
    /** Before its job is completed. @returns false where it waits no more */
    block: async (taskId: string): Promise<boolean> =>
      (await blockScript(redis, scriptKeys, [taskId, keySpace])) === 1,
    /**
     * Those that were looked at longest ago, and not within so many ms: of each caller some. They come last the next time.
     */
    async list(limit: number, notWithinMs: number): Promise<BlockedTask[]> {
      const listed = ids.parse(await listScript(redis, scriptKeys, [limit, notWithinMs, keySpace]));
      if (listed.length === 0) return [];
      const pipeline = redis.pipeline();
      for (const id of listed) pipeline.hmget(keys.task(id), 'machine', 'key', 'jobPriority', ...placeFields);
      return rows
        .parse(await repliesOf(pipeline))
        .flatMap(([machineId, whole, jobPriority, ...values], i) => {
          if (!machineId || !whole) return [];
          const place = whole.slice(whole.lastIndexOf(':') + 1);
          const key = keyWithoutPlace(whole, place);
          const standing = parseTaskPlace(values, 0);
          return {
            taskId: listed[i] ?? '',
            machineId,
            key,
            place,
            jobPriority: Number(jobPriority),
            standing,
          };
        });
    },
    /** After that each needs its job again. */
    async unblock(taskIds: readonly string[]): Promise<void> {
      if (taskIds.length > 0) await redis.zrem(keys.blocked, ...taskIds);
    },
    /** Those that were given another place since they were listed. */
    async movedSince(listed: readonly Job[]): Promise<Job[]> {
      if (listed.length === 0) return [];
      const pipeline = plainPipeline(redis);
      for (const { taskId } of listed) pipeline.hget(keys.task(taskId), 'jobPriority');
      const present = numbers.parse(await repliesOf(pipeline));
      return listed.flatMap(({ taskId, jobPriority: before }, i) => {
        const jobPriority = present[i] ?? 0;
        return jobPriority > 0 && jobPriority !== before ? [{ taskId, jobPriority }] : [];
      });
    },
    count: (): Promise<number> => redis.zcard(keys.blocked),
    /** Which of these are blocked. */
    async areBlocked(taskIds: readonly string[]): Promise<boolean[]> {
      if (taskIds.length === 0) return [];
      return (await redis.zmscore(keys.blocked, ...taskIds)).map((score) => score !== null);
    },
  };
}
