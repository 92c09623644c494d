import { z } from 'zod';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';
import type { PlacedAct } from '../machine-order/machine-order.ts';
import { keyWithoutPlace } from '../admission/sharing.ts';
import { repliesOf } from '../scheduling/job-queue.ts';
import { storeKeys } from '../store-keys.ts';

/** A task that waits for its turn on its machine. */
export interface BlockedTask extends Omit<PlacedAct, 'operation'> {
  readonly taskId: string;
  readonly jobPriority: number;
}

const blockScript = loadScript(new URL('../lua/block.lua', import.meta.url), { whenFull: true });
const listScript = loadScript(new URL('../lua/list-blocked.lua', import.meta.url), { whenFull: true });
const ids = z.array(z.string());
const rows = z.array(z.tuple([z.string().nullable(), z.string().nullable(), z.string().nullable()]));

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
      for (const id of listed) pipeline.hmget(keys.task(id), 'machine', 'key', 'jobPriority');
      return rows.parse(await repliesOf(pipeline)).flatMap(([machineId, whole, jobPriority], i) => {
        if (machineId === null || whole === null) return [];
        const place = whole.slice(whole.lastIndexOf(':') + 1);
        const key = keyWithoutPlace(whole, place);
        return { taskId: listed[i] ?? '', machineId, key, place, jobPriority: Number(jobPriority) };
      });
    },
    /** After that each needs its job again. */
    async unblock(taskIds: readonly string[]): Promise<void> {
      if (taskIds.length > 0) await redis.zrem(keys.blocked, ...taskIds);
    },
    count: (): Promise<number> => redis.zcard(keys.blocked),
    /** Which of these are blocked. */
    async areBlocked(taskIds: readonly string[]): Promise<boolean[]> {
      if (taskIds.length === 0) return [];
      return (await redis.zmscore(keys.blocked, ...taskIds)).map((score) => score !== null);
    },
  };
}
