import assert from 'node:assert/strict';
import { createRequestReader } from '@diq/queue/read-requests.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { createLedger } from '@diq/quota/ledger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';

const keySpace = 'test:{cost}';
const queued = 200_000;

/** None of them looks at more the more requests wait; `zrange` with the places that the reading gives it. */
const cheap = ['evalsha', 'hget', 'hgetall', 'hmget', 'time', 'zcard', 'zrange', 'zrangebyscore'];
const aside = ['info', 'config', 'config|resetstat', 'command'];

describe('a reading of queue and quota while 200,000 requests wait', function () {
  this.timeout(20_000);
  const redis = useEmbeddedRedis();

  before('let so many wait', async () => {
    const fill = `for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], ARGV[2] + i, 'dispatch-' .. ARGV[2] + i) end`;
    for (let first = 0; first < queued; first += 10_000) {
      await redis.client.eval(fill, 1, storeKeys(keySpace).waiting, 10_000, first);
    }
  });

  async function read(): Promise<void> {
    const ledger = createLedger(redis.client, keySpace, {
      limit: 5,
      windowMs: 3_600_000,
      callTimeoutMs: 30_000,
    });
    const [, backlog] = await Promise.all([
      ledger.look(),
      createRequestReader(redis.client, keySpace).backlog(),
    ]);
    assert.equal(backlog.waitingDispatches, queued);
  }

  it('asks Redis for nothing that grows with them', async () => {
    // The first one loads the script.
    await read();
    await redis.client.config('RESETSTAT');
    await read();
    const asked = [...(await redis.client.info('commandstats')).matchAll(/^cmdstat_([^:]+):/gm)].map(
      ([, name = '']) => name,
    );
    assert.ok(asked.includes('zcard'), asked.join(' '));
    assert.deepEqual(
      asked.filter((name) => !cheap.includes(name) && !aside.includes(name)),
      [],
    );
  });

  it('gets a few hundred bytes in answer', async () => {
    const sent = async () =>
      Number(/total_net_output_bytes:(\d+)/.exec(await redis.client.info('stats'))?.[1]);
    const empty = await sent().then(async (before) => (await sent()) - before);
    const before = await sent();
    await read();
    assert.ok((await sent()) - before - empty < 1_000);
  });
});
