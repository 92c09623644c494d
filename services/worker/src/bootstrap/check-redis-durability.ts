import type { Redis } from 'ioredis';
import type { Logger } from '@diq/runtime/logging/logger.ts';

/** The settings with which Redis keeps accepted requests and spent permits. */
const wanted = {
  appendonly: { value: 'yes', risk: 'a restart of Redis loses every request and the record of calls made' },
  appendfsync: { value: 'always', risk: 'a crash of its machine loses what was accepted just before' },
  'maxmemory-policy': {
    value: 'noeviction',
    risk: 'Redis drops requests and records when memory runs short',
  },
} as const;

/** Warns about settings with which Redis can lose data. Never fails: the operator decides. */
export async function checkRedis(redis: Redis, logger: Pick<Logger, 'warn' | 'info'>): Promise<void> {
  try {
    if (isEmbedded(await redis.info('server'))) return;
    for (const [setting, { value, risk }] of Object.entries(wanted)) {
      const [, found] = await redis.config('GET', setting);
      if (found === undefined) logger.info({ setting }, 'Redis does not report this durability setting');
      else if (found !== value) logger.warn({ setting, found, expected: value }, `Redis: ${risk}`);
    }
  } catch (error) {
    // Managed services forbid CONFIG.
    logger.info({ err: error }, 'Redis forbids reading its durability settings');
  }
}

/** The launcher's embedded Redis keeps nothing; the launcher prints that at its start. */
function isEmbedded(serverInfo: string): boolean {
  return /^os:wasi/m.test(serverInfo);
}
