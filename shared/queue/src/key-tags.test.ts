import assert from 'node:assert/strict';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { duplicateConnection } from '@diq/redis/connection.ts';
import { createPermitLimiter, openLimiterConnection } from '@diq/quota/limiter/permit-limiter.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createBacklogRoom } from './admission/backlog-reservation.ts';
import { createIdempotencyStore } from './admission/idempotency-store.ts';
import { createQueuePause } from './operations/queue-pause.ts';
import { queueName } from './store-keys.ts';
import { arrivedAtMs, item, keySpace, openTestStore } from './test-support/test-store.ts';

describe('keys in Redis', () => {
  const redis = useEmbeddedRedis();

  it('all carry one and the same hash tag: in Redis Cluster every script finds its keys on one node', async () => {
    const store = await openTestStore(redis.url);
    const quota = { limits: [{ calls: 2, windowMs: 60_000 }], callTimeoutMs: 1_000 };
    const permits = openLimiterConnection(duplicateConnection(store.redis), () => undefined);
    const limiter = await createPermitLimiter({ ...quota, connection: permits, keySpace, onError() {} });
    const ledger = createLedger(store.redis, keySpace, quota);
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const worker = new Worker(queueName, null, { connection, prefix: keySpace, autorun: false });

    await ledger.open();
    await ledger.endColdStart();
    const { accepted } = await store.intake.acceptBatch(
      [
        item({ source: 'soar' }),
        item(),
        { rejected: { index: 2, error: { code: 'invalid_item', errors: [] } } },
      ],
      { nowMs: arrivedAtMs, caller: 'soar' },
    );
    await createIdempotencyStore(store.redis, keySpace, { leaseMs: 1, keepMs: 60_000 })
      .attempt('key', 'soar')
      .claim('digest', arrivedAtMs);
    const bounds = { requests: 9, tasks: undefined };
    await createQueuePause(store.redis, keySpace, 60_000).pause({ name: 'anna' }, Date.now());
    await createBacklogRoom(store.redis, keySpace).keep(1, bounds, 'new');
    const permit = await limiter.tryAcquire();
    const job = await worker.getNextJob('token', { block: false });
    const task = await store.taskOf(accepted[0]!.id);
    assert.equal(job?.id, task.id);
    await store.tasks.begin(task.id, 'call-1');
    const call = { callId: 'call-1', taskId: task.id, machineId: task.machineId };
    assert.equal((await ledger.spend(call)).kind, 'granted');
    await ledger.holdGrowing('unreachable', { firstMs: 60_000, longestMs: 60_000 });
    const during = await redis.client.keys('*');
    await ledger.recordAnswer('call-1', { outcome: 'started', facts: {} });
    await store.tasks.settle(task.id, 'call-1', { status: 'started', attempts: 1 });
    await job?.moveToCompleted(null, 'token', false);
    permit?.keepForOneWindow();

    const names = new Set([...during, ...(await redis.client.keys('*'))]);
    const tags = new Set([...names].map((name) => /\{(.*?)\}/.exec(name)?.[1]));
    assert.deepEqual([...tags], ['queue'], [...names].join('\n'));
    for (const part of [
      'b_',
      'ledger:',
      'holds',
      'stored',
      ':queue:',
      ':request:',
      ':batch:',
      ':task:',
      ':machines',
      ':listed:',
      ':listed-by:source',
      ':listed-by:machine',
      ':ended',
      ':pause',
      ':audit',
      ':idempotency:',
      ':reservations',
    ]) {
      assert.ok(
        [...names].some((name) => name.includes(part)),
        `a key of ${part} was among them`,
      );
    }

    limiter.close();
    await permits.close();
    await worker.close();
    connection.disconnect();
    await store.close();
  });
});
