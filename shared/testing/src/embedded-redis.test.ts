import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { startEmbeddedRedis } from './embedded-redis.ts';
import { spawnService } from '@diq/runtime/processes/spawn-service.ts';

describe('embedded Valkey', () => {
  it('serves ordinary clients, scripts and blocking commands, and is gone after stop', async () => {
    const embedded = await startEmbeddedRedis();
    const [client, blocked] = [new Redis(embedded.url), new Redis(embedded.url)];
    assert.equal(await client.eval("return redis.call('INCR', KEYS[1])", 1, 'n'), 1);
    const popped = blocked.brpop('list', 5);
    await client.lpush('list', 'item');
    assert.deepEqual(await popped, ['list', 'item']);
    await Promise.all([client.quit(), blocked.quit()]);
    await embedded.stop();
    const late = new Redis(embedded.url, { retryStrategy: null, lazyConnect: true });
    late.on('error', () => undefined);
    await assert.rejects(late.connect());
  });

  it('answers at once and not with its next timer', async () => {
    const embedded = await startEmbeddedRedis();
    const client = new Redis(embedded.url);
    await client.ping();
    const beganMs = performance.now();
    for (let round = 0; round < 20; round += 1) await client.ping();
    // With the timer these would be 20 times 100 ms.
    assert.ok(performance.now() - beganMs < 1_000);
    await client.quit();
    await embedded.stop();
  });

  it('refuses to start on a port that another process holds', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const address = holder.address();
    assert.ok(address !== null && typeof address !== 'string');
    const entry = new URL('../../runtime/src/processes/embedded-redis-main.ts', import.meta.url);
    const env = { EMBEDDED_REDIS_PORT: String(address.port) };
    await assert.rejects(spawnService({ entry, env, name: 'embedded-redis' }), /EADDRINUSE/);
    holder.close();
  });
});
