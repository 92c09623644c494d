import assert from 'node:assert/strict';
import { startLaggingReplica, type LaggingReplica } from '@diq/testing/lagging-replica.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import type { Redis } from 'ioredis';
import { closeRedis, openFailFastConnection, waitUntilReady } from './connection.ts';
import { isRedisTrouble } from './is-unavailable.ts';
import { parseRedisUrl } from './redis-address.ts';
import { createReplication, NotReplicatedError } from './replication.ts';

const key = 'diq:{t/op}';

describe('waiting for replicas', () => {
  let primary: RedisServer;
  let replica: LaggingReplica;
  let redis: Redis;
  before(requireRedisServer);
  beforeEach(async () => {
    primary = await startRedisServer();
    replica = await startLaggingReplica(primary);
    await replica.untilInSync();
    redis = openFailFastConnection({
      address: parseRedisUrl(primary.url),
      name: 'test',
      logger: { info() {}, warn() {} },
    }) as Redis;
    await waitUntilReady(redis, 2_000);
  });
  afterEach(async () => {
    await closeRedis(redis);
    await replica.letGo();
    await Promise.all([replica.server.stop(), primary.stop()]);
  });

  it('resolves when as many as are asked for have what was written', async () => {
    const replication = createReplication(redis, key, 1);
    await replication.replicated(() => redis.set(key, 'written'));
    assert.equal(await replica.client.get(key), 'written');
  });

  it('rejects after a second with one that lags, as an outage of Redis, and then writes nothing until it follows', async () => {
    const replication = createReplication(redis, key, 1);
    replica.holdBack();
    const beganMs = performance.now();
    const error: unknown = await replication
      .replicated(() => redis.set(key, 'late'))
      .catch((e: unknown) => e);
    assert.ok(error instanceof NotReplicatedError && isRedisTrouble(error), String(error));
    assert.ok(performance.now() - beganMs < 1_400);

    await assert.rejects(
      replication.replicated(() => redis.set(key, 'refused')),
      NotReplicatedError,
    );
    assert.equal(await redis.get(key), 'late');
    replica.catchUp();
    await replication.replicated(() => redis.set(key, 'again'));
    assert.equal(await replica.client.get(key), 'again');
  });

  it('rejects where there are fewer of them', async () => {
    const replication = createReplication(redis, key, 2);
    await assert.rejects(
      replication.replicated(() => redis.set(key, 'x')),
      /1 of 2 replicas/,
    );
  });

  it('rejects when the connection broke since, although Redis answers another one that all is well', async () => {
    const replication = createReplication(redis, key, 1);
    const writes = await replication.begin();
    await redis.set(key, 'x');
    const back = new Promise((resolve) => redis.once('ready', resolve));
    redis.disconnect(true);
    await back;
    await assert.rejects(writes.confirmed(), /connection broke/);
  });

  it('asks once for all that wait at the same time, and once more for those that came since', async () => {
    const replication = createReplication(redis, key, 1);
    const asked = async () =>
      Number(/cmdstat_wait:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
    const before = await asked();
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => replication.replicated(() => redis.set(`${key}:${i}`, 'x'))),
    );
    const times = (await asked()) - before;
    assert.ok(times >= 1 && times <= 3, `${times} times`);
    for (let i = 0; i < 50; i += 1) assert.equal(await replica.client.get(`${key}:${i}`), 'x');
  });

  it('asks once for all key spaces of a connection, so that replicas that lag do not keep it waiting for each', async () => {
    const spaces = Array.from({ length: 20 }, (_, i) => `diq:{t/op-${i}}`);
    const replications = spaces.map((space) => createReplication(redis, space, 1));
    replica.holdBack();
    const write = (i: number) => replications[i]!.replicated(() => redis.set(spaces[i]!, 'late'));
    const beganMs = performance.now();
    const results = await Promise.allSettled(spaces.map((_, i) => write(i)));
    assert.ok(results.every(({ status }) => status === 'rejected'));
    assert.ok(performance.now() - beganMs < 3_400, 'two answers, each of a second');
    await assert.rejects(write(0), NotReplicatedError);
    assert.equal(await redis.exists(...spaces), spaces.length);
    assert.match(await redis.info('commandstats'), /cmdstat_wait:calls=[1-3],/);
    replica.catchUp();
    await Promise.all(spaces.map((_, i) => write(i)));
  });

  it('leaves the connection to other commands for a second after replicas were waited for in vain', async () => {
    const replication = createReplication(redis, key, 1);
    replica.holdBack();
    const write = () => replication.replicated(() => redis.set(key, 'x'));
    await assert.rejects(write(), NotReplicatedError);
    const beganMs = performance.now();
    for (let i = 0; i < 5; i += 1) await assert.rejects(write(), NotReplicatedError);
    assert.ok(performance.now() - beganMs < 900, 'not a second for each');
    replica.catchUp();
  });

  it('asks nothing where no replica is asked for', async () => {
    replica.holdBack();
    await createReplication(redis, key, 0).replicated(() => redis.set(key, 'x'));
    assert.doesNotMatch(await redis.info('commandstats'), /cmdstat_wait:/);
  });
});
