import { Registry } from 'prom-client';
import { createRequestReader } from '@diq/queue/requests/request-reader.ts';
import { keySpace } from '@diq/queue/test-support/test-store.ts';
import { closeRedis, openFailFastConnection } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { runService } from '@diq/runtime/processes/run-service.ts';
import { openCallbacks } from '../open-callbacks.ts';
import { quickTiming, settings } from './callback-world.ts';

/** The part of an intake that delivers callbacks, as a process that can be killed. */
await runService({
  name: 'callbacks-under-test',
  env: process.env,
  // oxlint-disable-next-line unicorn/no-process-exit -- the main file of a process
  exit: (code) => process.exit(code),
  start({ env, logger, lifecycle }) {
    const redisAddress = parseRedisUrl(env['REDIS_URL'] ?? '');
    const redis = openFailFastConnection({ address: redisAddress, name: 'test', logger });
    lifecycle.onClose('redis', () => closeRedis(redis));
    const host = { hostname: '127.0.0.1', port: env['RECEIVER_PORT'] ?? '', isWildcard: false, path: '' };
    const source = { keySpace, reader: createRequestReader(redis, keySpace) };
    openCallbacks({
      settings: { callbacks: { ...settings, allowedHosts: [host] }, redisAddress },
      keySpace,
      redis,
      sources: () => [source],
      sourceOf: () => source,
      registry: new Registry(),
      logger,
      lifecycle,
      timing: { ...quickTiming, lockMs: 300, takenForMs: 300 },
    });
    return Promise.resolve({ port: 0 });
  },
});
