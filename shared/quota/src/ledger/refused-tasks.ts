import type { Redis } from 'ioredis';
import type { ledgerKeys } from './ledger-keys.ts';

/** What the ledger remembers of tasks whose calls were refused; see lua/judge-refusal.lua. */
export interface RefusedTasks {
  /** Whether a call for this task was refused, as far as is known by anybody's fault. */
  wasRefused(taskId: string): Promise<boolean>;
  /** Tasks set aside whose time is over: so many others were answered well. */
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
      // Nothing stands there as a rule; what was erased with the counters is over as well.
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
