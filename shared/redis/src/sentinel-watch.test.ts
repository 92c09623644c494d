import assert from 'node:assert/strict';
import { requireRedisServer } from '@diq/testing/redis-process.ts';
import { startRedisSentinels, type RedisSentinels } from '@diq/testing/redis-sentinels.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import {
  closeRedis,
  openBlockingConnection,
  openFailFastConnection,
  waitUntilReady,
  type RedisConnection,
} from './connection.ts';
import { parseHostAndPort } from './redis-address.ts';

describe('connections to a primary behind sentinels', function () {
  this.timeout(60_000);
  let servers: RedisSentinels;
  const connections: RedisConnection[] = [];
  before(async function () {
    requireRedisServer.call(this);
    servers = await startRedisSentinels();
  });
  after(async () => {
    await Promise.all(connections.map(closeRedis));
    await servers?.stop();
  });

  it('leave one that hangs, and keeps them open, for the one that the sentinels put in its place', async () => {
    const sentinels = (servers.env['REDIS_SENTINELS'] ?? '').split(',').map(parseHostAndPort);
    const options = {
      address: { kind: 'sentinels', sentinels, name: 'queue', db: 0, tls: false },
      name: 'test',
      logger: { info() {}, warn() {} },
    } as const;
    const [failsFast, waits] = [openFailFastConnection(options), openBlockingConnection(options)];
    connections.push(failsFast, waits);
    for (const redis of connections) await waitUntilReady(redis, 5_000);
    await failsFast.set('kept', '1');
    await servers.untilInSync();

    const hanging = await servers.primary();
    await hanging.server.kill('SIGSTOP');
    const waiting = waits.get('kept');
    const primary = await servers.untilFailedOver(hanging);
    await waitFor(() => failsFast.set('new', '1'), { what: 'a write to be taken', timeoutMs: 15_000 });
    assert.equal(await primary.client.get('new'), '1');
    assert.equal(await waiting, '1');
  });
});
