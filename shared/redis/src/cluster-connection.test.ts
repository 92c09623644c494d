import assert from 'node:assert/strict';
import { startRedisCluster, type RedisCluster } from '@diq/testing/redis-cluster.ts';
import { requireRedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { onePerServer, serverInfo, serverSetting, serverTimeMs } from './ask-owner.ts';
import {
  closeRedis,
  connectionTrouble,
  openFailFastConnection,
  waitUntilReady,
  type RedisConnection,
} from './connection.ts';
import { isRedisTrouble } from './is-unavailable.ts';
import { parseHostAndPort } from './redis-address.ts';

/** In slots of three different servers. */
const keys = ['{b}:x', '{c}:x', '{a}:x'];

describe('a connection to a Redis Cluster that fails fast', function () {
  this.timeout(60_000);
  let servers: RedisCluster;
  let redis: RedisConnection;
  before(async function () {
    requireRedisServer.call(this);
    servers = await startRedisCluster();
    const nodes = (servers.env['REDIS_CLUSTER_NODES'] ?? '').split(',').map(parseHostAndPort);
    redis = openFailFastConnection({
      address: { kind: 'cluster', nodes, tls: false },
      name: 'test',
      logger: { info() {}, warn() {} },
    });
    await waitUntilReady(redis, 5_000);
  });
  after(async () => {
    if (redis) await closeRedis(redis);
    await servers?.stop();
  });

  it('asks what names no key of the server that holds the key which is meant', async () => {
    const runIds = new Set<string>();
    for (const key of keys) {
      const { client } = await servers.ownerOf(key);
      const runId = /run_id:(\w+)/.exec(await client.info('server'))?.[1] ?? '';
      assert.match(await serverInfo(redis, key, 'server'), new RegExp(`run_id:${runId}`));
      assert.equal(await serverSetting(redis, key, 'port'), String(client.options.port));
      assert.ok(Math.abs((await serverTimeMs(redis, key)) - Date.now()) < 60_000);
      runIds.add(runId);
    }
    assert.equal(runIds.size, 3);
    assert.equal(onePerServer(redis, [...keys, ...keys]).length, 3);
  });

  it('says at once that its password is refused, although commands would wait', async () => {
    const nodes = (servers.env['REDIS_CLUSTER_NODES'] ?? '').split(',').map(parseHostAndPort);
    const refused = openFailFastConnection({
      address: { kind: 'cluster', nodes, tls: false, username: 'stranger', password: 'wrong' },
      name: 'refused',
      logger: { info() {}, warn() {} },
    });
    const says = () => connectionTrouble(refused) === 'refuses the user name or password in REDIS_URL';
    await waitFor(async () => says(), { what: 'its words' });
    await closeRedis(refused);
    assert.equal(connectionTrouble(redis), undefined);
  });

  it('runs no script on a part of its keys while their slot is moved, and runs it once they are in one place', async () => {
    await redis.mset('{a}:one', '1', '{a}:two', '2');
    const both = `return {redis.call('GET', KEYS[1]), redis.call('GET', '{a}:' .. ARGV[1])}`;
    const { client } = await servers.ownerOf('{a}');
    const refused = async () => {
      const [stats = ''] = /cmdstat_eval:.*/.exec(await client.info('commandstats')) ?? [];
      const counts = [...stats.matchAll(/(?:rejected|failed)_calls=(\d+)/g)];
      return counts.reduce((sum, [, calls]) => sum + Number(calls), 0);
    };
    const before = await refused();
    let asked: Promise<unknown>[] = [];
    await servers.moveSlot('{a}', {
      batch: 1,
      async between() {
        if (asked.length > 0) return;
        asked = [redis.eval(both, 1, '{a}:one', 'two'), redis.eval(both, 1, '{a}:two', 'one')];
        await waitFor(async () => (await refused()) >= before + asked.length, { what: 'both to be refused' });
      },
    });
    assert.deepEqual(await Promise.all(asked), [
      ['1', '2'],
      ['2', '1'],
    ]);
  });

  it('fails commands within 2 s while the server of their key is away, and works again once its replica took over', async () => {
    const [key = ''] = keys;
    await redis.set(key, '1');
    await servers.untilInSync(key);
    const [lost, replica] = [await servers.ownerOf(key), await servers.replicaOf(key)];
    await lost.server.kill();
    const beganMs = performance.now();
    const error: unknown = await redis.incr(key).catch((e: unknown) => e);
    assert.ok(isRedisTrouble(error), String(error));
    assert.ok(performance.now() - beganMs < 2_000);
    await servers.untilOwner(key, replica);
    assert.equal(await waitFor(() => redis.get(key), { what: 'the key', timeoutMs: 15_000 }), '1');
    await redis.incr(key);
    assert.equal(await redis.get(key), '2', 'the command that failed was carried out later');
  });
});
