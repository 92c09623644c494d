import type { Redis } from 'ioredis';
import type { Logger } from '@diq/runtime/logging/logger.ts';

/** What a Redis must be told so that an accepted request and a spent permit survive it. */
const wanted = {
  appendonly: { value: 'yes', risk: 'a restart of Redis loses every request and the record of calls made' },
  appendfsync: { value: 'always', risk: 'a crash of its machine loses what was accepted just before' },
  'maxmemory-policy': {
    value: 'noeviction',
    risk: 'Redis drops requests and records when memory runs short',
  },
} as const;

/** Warns of settings with which Redis does not keep what it is told. Never fails: they are the operator's to choose. */
export async function checkRedis(redis: Redis, logger: Pick<Logger, 'warn' | 'info'>): Promise<void> {
  try {
    if (isEmbedded(await redis.info('server'))) return;
    for (const [setting, { value, risk }] of Object.entries(wanted)) {
      const [, found] = await redis.config('GET', setting);
      if (found === undefined)
        logger.info({ setting }, 'Redis does not say whether it keeps what it is told');
      else if (found !== value) logger.warn({ setting, found, expected: value }, `Redis: ${risk}`);
    }
  } catch (error) {
    // Managed services forbid CONFIG.
    logger.info({ err: error }, 'Redis may not be asked whether it keeps what it is told');
  }
}

/** The one that the launcher starts keeps nothing, and whoever started it was told so. */
function isEmbedded(serverInfo: string): boolean {
  return /^os:wasi/m.test(serverInfo);
}
