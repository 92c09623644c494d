import { setTimeout as wait } from 'node:timers/promises';
import { describeRedisTrouble } from '@diq/redis/describe-unavailable.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';

export interface UntilRedisServesOptions {
  logger: Pick<Logger, 'warn' | 'info'>;
  lifecycle: Pick<Lifecycle, 'closing'>;
}

/** From one attempt to the next. */
const pauseMs = 1_000;
/** The same reason is logged again after this long, so that a recent log always holds it. */
const remindMs = 60_000;

/**
 * Retries `open` while Redis answers but cannot serve (during a failover, without permissions, as part of a cluster), as
 * a worker also waits for a Redis that is away. Other errors are thrown.
 *
 * @throws Error also when the process is stopped meanwhile
 */
export async function untilRedisServes<T>(
  open: () => Promise<T>,
  { logger, lifecycle: { closing } }: UntilRedisServesOptions,
): Promise<T> {
  let said = '';
  let saidAtMs = 0;
  for (;;) {
    try {
      const opened = await open();
      if (said !== '') logger.info('Redis serves again, the start goes on');
      return opened;
    } catch (error) {
      if (!isRedisTrouble(error) || closing.aborted) throw error;
      const redis = describeRedisTrouble(error);
      if (redis !== said || performance.now() - saidAtMs > remindMs) {
        [said, saidAtMs] = [redis, performance.now()];
        logger.warn({ redis, err: error }, 'waiting for Redis to serve before anything is called');
      }
    }
    await wait(pauseMs, undefined, { signal: closing }).catch(() => undefined);
  }
}
