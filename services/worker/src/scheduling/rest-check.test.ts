import assert from 'node:assert/strict';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import { openFailFastConnection, closeRedis, waitUntilReady } from '@diq/redis/connection.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { createRestCheck } from './rest-check.ts';

describe('the check of queues that are left alone', () => {
  const server = useEmbeddedRedis();
  let redis: RedisConnection;
  before(async () => {
    const { logger } = captureLog();
    redis = openFailFastConnection({ address: parseRedisUrl(server.url), name: 'test', logger });
    await waitUntilReady(redis, 5_000);
  });
  beforeEach(() => server.flush());
  after(() => closeRedis(redis));

  const spaces = Array.from({ length: 60 }, (_, i) => `test:{rest-${i}}`);
  const queues = spaces.map((keySpace, i) => ({ keySpace, hasLedger: i % 2 === 0, awaitsResult: false }));
  const found = async (some = queues) =>
    (await createRestCheck(redis)(some)).withWork.map(({ keySpace }) => keySpace);
  const writeLedgers = async () => {
    for (const { keySpace, hasLedger } of queues)
      if (hasLedger) await redis.hset(ledgerKeys(keySpace).generation, 'id', 'one');
  };

  it('takes two commands for all of them while there is nothing to be done', async () => {
    await writeLedgers();
    const existsCalls = async () =>
      Number(/cmdstat_exists:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
    const before = await existsCalls();
    assert.deepEqual(await found(), []);
    assert.equal((await existsCalls()) - before, 2);
  });

  it('finds what waits, is under way, is to be looked up, or has a job', async () => {
    await writeLedgers();
    const keysOf = [
      (keySpace: string) => storeKeys(keySpace).waiting,
      (keySpace: string) => storeKeys(keySpace).inFlight,
      (keySpace: string) => storeKeys(keySpace).reconciling,
      (keySpace: string) => storeKeys(keySpace).jobOrder,
    ];
    const busy = spaces.slice(20, 20 + keysOf.length);
    for (const [i, keyOf] of keysOf.entries()) await redis.zadd(keyOf(busy[i] ?? ''), 1, 'task');
    assert.deepEqual(await found(), busy);
    assert.deepEqual(await found(queues.slice(20, 21)), busy.slice(0, 1));
  });

  it('finds results that are followed, but for a queue whose own time brings the next read', async () => {
    await writeLedgers();
    const [first, second] = queues;
    for (const queue of [first!, second!]) await redis.zadd(storeKeys(queue.keySpace).results, 1, 'task');
    assert.deepEqual(await found(), [first?.keySpace, second?.keySpace]);
    const waiting = queues.map((queue) => ({ ...queue, awaitsResult: queue === first }));
    assert.deepEqual(await found(waiting), [second?.keySpace]);
    assert.deepEqual(await found(waiting.slice(0, 1)), []);
  });

  it('finds a queue whose ledger is gone, and not one that never had any', async () => {
    await writeLedgers();
    await redis.del(ledgerKeys(spaces[4] ?? '').generation);
    assert.deepEqual(await found(), [spaces[4]]);
  });

  it('is not misled by as much work in one queue as ledgers are gone in others', async () => {
    await writeLedgers();
    await redis.del(ledgerKeys(spaces[4] ?? '').generation);
    await redis.zadd(storeKeys(spaces[7] ?? '').waiting, 1, 'task');
    assert.deepEqual(await found(), [spaces[4], spaces[7]]);
  });
});
