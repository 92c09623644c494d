import type { RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import type { Store } from 'express-rate-limit';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { ProblemError } from '../problem-error.ts';
import { contextOf } from '../request-context.ts';

interface LimitRateOptions {
  /** Requests of one caller within one minute. */
  perMinute: number;
  store: Store;
  logger: Pick<Logger, 'debug'>;
}

export const rateWindowMs = 60_000;

/**
 * Limits each caller, over all intakes together, and tells every answer what is left (`RateLimit`, `RateLimit-Policy`:
 * draft-ietf-httpapi-ratelimit-headers-08). Where the store cannot be asked it lets pass: routes that need Redis refuse
 * by themselves.
 */
export function limitRate({ perMinute, store, logger }: LimitRateOptions): RequestHandler {
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
