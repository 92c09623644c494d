import type { Redis } from 'ioredis';
import type { ledgerKeys } from './ledger-keys.ts';

/** What the ledger remembers of dispatches whose calls were refused; see lua/judge-refusal.lua. */
export interface RefusedDispatches {
  /** Whether a call for this dispatch was refused, as far as is known by anybody's fault. */
  wasRefused(dispatchId: string): Promise<boolean>;
  /** Dispatches set aside whose time is over: so many others were answered well. */
  asideOver(): Promise<string[]>;
  isAside(dispatchId: string): Promise<boolean>;
  forgetAside(dispatchIds: readonly string[]): Promise<void>;
}

export function createRefusedDispatches(
  redis: Redis,
  keys: Pick<ReturnType<typeof ledgerKeys>, 'answers' | 'aside'>,
): RefusedDispatches {
  return {
    wasRefused: async (dispatchId) => (await redis.exists(`${keys.answers}:${dispatchId}`)) === 1,
    async asideOver() {
      // Nothing stands there as a rule; what was erased with the counters is over as well.
      if ((await redis.zcard(keys.aside)) === 0) return [];
      const [good, refused] = await redis.hmget(keys.answers, 'good', 'refused');
      if ((refused ?? null) === null) return redis.zrange(keys.aside, 0, '-1');
      return redis.zrangebyscore(keys.aside, '-inf', good ?? '0');
    },
    isAside: async (dispatchId) => (await redis.zscore(keys.aside, dispatchId)) !== null,
    async forgetAside(dispatchIds) {
      if (dispatchIds.length > 0) await redis.zrem(keys.aside, ...dispatchIds);
    },
  };
}
