import type { RequestHandler } from 'express';
import { rateLimit, type Store } from 'express-rate-limit';
import { z } from 'zod';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { callerKeys } from '@diq/queue/store-keys.ts';
import { loadScript } from '@diq/redis/script.ts';
import { ProblemError } from '../problem-error.ts';
import { contextOf } from '../request-context.ts';

type Redis = Parameters<ReturnType<typeof loadScript>>[0];

const script = loadScript(new URL('../lua/count-request.lua', import.meta.url));
const reply = z.tuple([z.number(), z.number()]);

/**
 * Counts of the rate limit in Redis. (`rate-limit-redis` loads its script when it is made, and where that fails counts
 * nothing for good.)
 */
export function createRateStore(redis: Redis, windowMs: number): Store {
  return {
    async increment(name) {
      const [totalHits, endsInMs] = reply.parse(await script(redis, [callerKeys(name).rate], [windowMs]));
      return { totalHits, resetTime: new Date(Date.now() + endsInMs) };
    },
    async decrement(name) {
      await redis.decr(callerKeys(name).rate);
    },
    async resetKey(name) {
      await redis.del(callerKeys(name).rate);
    },
  };
}

export const rateWindowMs = 60_000;

/**
 * Limits each caller to so many requests within one minute, over all intakes together, and tells every answer what is left
 * (`RateLimit`, `RateLimit-Policy`: draft-ietf-httpapi-ratelimit-headers-08). Where the store cannot be asked it lets pass:
 * routes that need Redis refuse by themselves.
 */
export function limitRate(perMinute: number, store: Store, logger: Pick<Logger, 'debug'>): RequestHandler {
  const logSkipped = (error: unknown) => logger.debug({ err: error }, 'rate limit not applied');
  return rateLimit({
    windowMs: rateWindowMs,
    limit: perMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    keyGenerator: (_request, response) => contextOf(response).identified?.name ?? '',
    store,
    passOnStoreError: true,
    logger: { error: logSkipped, warn: logSkipped },
    handler: (_request, _response, next) => {
      next(
        new ProblemError('rate_limited', {
          detail: `A caller has ${perMinute} requests per minute. Post items as batches, and wait for the time in Retry-After.`,
        }),
      );
    },
  });
}
