import type { Store } from 'express-rate-limit';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { loadScript } from '@diq/redis/script.ts';
import { z } from 'zod';

type Redis = Parameters<ReturnType<typeof loadScript>>[0];

const script = loadScript(new URL('./lua/count-request.lua', import.meta.url));
const reply = z.tuple([z.number(), z.number()]);

/**
 * Counts of the rate limit in Redis. (`rate-limit-redis` loads its script when it is made, and where that fails counts
 * nothing for good.)
 */
export function createRateStore(redis: Redis, keySpace: string, windowMs: number): Store {
  const keys = storeKeys(keySpace);
  return {
    async increment(name) {
      const [totalHits, endsInMs] = reply.parse(await script(redis, [keys.rate(name)], [windowMs]));
      return { totalHits, resetTime: new Date(Date.now() + endsInMs) };
    },
    async decrement(name) {
      await redis.decr(keys.rate(name));
    },
    async resetKey(name) {
      await redis.del(keys.rate(name));
    },
  };
}
