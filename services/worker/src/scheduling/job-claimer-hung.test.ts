import assert from 'node:assert/strict';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { closeRedis, openBlockingConnection } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { createJobClaimer } from './job-claimer.ts';

describe('job claimer on a Redis that hangs', () => {
  let server: RedisServer;
  before(requireRedisServer);
  before('start Redis', async () => {
    server = await startRedisServer();
  });
  after('stop Redis', () => server?.stop());

  it('closes in little more than a second, whatever it would still say to Redis', async () => {
    const { logger } = captureLog();
    const redis = openBlockingConnection({ address: parseRedisUrl(server.url), name: 'test', logger });
    const onError = () => undefined;
    const chargeFlows = async () => undefined;
    const about = { redis, keySpace: 'test:{hung}', lockMs: 10_000 };
    const claimer = createJobClaimer({ ...about, chargeFlows, onError });
    assert.equal(await claimer.claim(), undefined);
    await server.kill('SIGSTOP');
    const claiming = claimer.claim().catch(onError);
    const startedAtMs = performance.now();
    await claimer.close();
    const tookMs = performance.now() - startedAtMs;
    await closeRedis(redis);
    await claiming;
    assert.ok(tookMs < 1_500, `${Math.round(tookMs)} ms`);
  });
});
