import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import { createRequestReader } from '@diq/queue/requests/request-reader.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { useIntake } from '../test-support/intake-under-test.ts';

const keySpace = 'test:{cost}';
const queued = 200_000;

/**
 * None of them looks at more the more requests wait; `zrange` and `zrevrangebyscore` with the places that the reading gives
 * them, `hvals` at the workers.
 */
const cheap = [
  'evalsha',
  'hexists',
  'hget',
  'hgetall',
  'hlen',
  'hmget',
  'hvals',
  'time',
  'zcard',
  'zcount',
  'zrange',
  'zrangebyscore',
  'zrevrangebyscore',
];
const aside = ['info', 'config', 'config|resetstat', 'command'];

describe('a reading of queue and quota while 200,000 requests wait', function () {
  this.timeout(20_000);
  const redis = useEmbeddedRedis();

  before('let so many wait', () => letWait(redis.client, keySpace));

  async function read(): Promise<void> {
    const ledger = createLedger(redis.client, keySpace, {
      limits: [{ calls: 5, windowMs: 3_600_000 }],
      callTimeoutMs: 30_000,
    });
    const [, backlog] = await Promise.all([
      ledger.snapshot(),
      createRequestReader(redis.client, keySpace).backlog(),
    ]);
    assert.equal(backlog.waitingTasks, queued);
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

describe('a scrape while 200,000 requests wait', function () {
  this.timeout(20_000);
  const redis = useEmbeddedRedis();
  const tenantId = randomUUID();
  const intake = useIntake(redis, { AZURE_TENANT_ID: tenantId });

  before('let so many wait', () =>
    letWait(redis.client, keySpaceOf({ tenantId, operation: 'initiateInvestigation' })),
  );

  it('takes far less than to read them all', async () => {
    const scrape = async () => (await fetch(`${intake.url}/metrics`)).text();
    // At 5 an hour: 200,000 calls need more than a hundred million seconds.
    await waitFor(async () => /\ndiq_queue_drain_seconds\{[^}]*\} 1\d{8}/.test(await scrape()), {
      what: 'a reading',
    });
    const tookMs: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      const startedAtMs = performance.now();
      await scrape();
      tookMs.push(performance.now() - startedAtMs);
    }
    // What else the machine does may slow some of them down.
    const medianMs = tookMs.toSorted((a, b) => a - b)[4] ?? Infinity;
    // To read them takes seconds; how fast a scrape is on a machine with nothing else to do the benchmark shows.
    assert.ok(medianMs < 500, `${medianMs} ms`);
  });
});

async function letWait(redis: RedisConnection, space: string): Promise<void> {
  const fill = `for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], ARGV[2] + i, 'task-' .. ARGV[2] + i) end`;
  for (let first = 0; first < queued; first += 10_000) {
    await redis.eval(fill, 1, storeKeys(space).waiting, 10_000, first);
  }
}
