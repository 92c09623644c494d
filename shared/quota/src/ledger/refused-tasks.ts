import type { Redis } from 'ioredis';
import type { ledgerKeys } from './ledger-keys.ts';

/** What the ledger remembers of tasks whose calls were refused; see lua/judge-refusal.lua. */
export interface RefusedTasks {
  /** Whether a call for this task was refused, whatever the cause. */
  wasRefused(taskId: string): Promise<boolean>;
  /** Tasks set aside whose time is over: enough other calls were answered well. */
  asideOver(): Promise<string[]>;
  isAside(taskId: string): Promise<boolean>;
  forgetAside(taskIds: readonly string[]): Promise<void>;
}

export function createRefusedTasks(
  redis: Redis,
  keys: Pick<ReturnType<typeof ledgerKeys>, 'answers' | 'aside'>,
): RefusedTasks {
  return {
    wasRefused: async (taskId) => (await redis.exists(`${keys.answers}:${taskId}`)) === 1,
    async asideOver() {
      // Usually no task is set aside. Where the counters were erased, all tasks set aside are over.
      if ((await redis.zcard(keys.aside)) === 0) return [];
      const [good, refused] = await redis.hmget(keys.answers, 'good', 'refused');
      if ((refused ?? null) === null) return redis.zrange(keys.aside, 0, '-1');
      return redis.zrangebyscore(keys.aside, '-inf', good ?? '0');
    },
    isAside: async (taskId) => (await redis.zscore(keys.aside, taskId)) !== null,
    async forgetAside(taskIds) {
      if (taskIds.length > 0) await redis.zrem(keys.aside, ...taskIds);
    },
  };
}
