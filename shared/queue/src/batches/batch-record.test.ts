import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createAcceptChunk } from '../admission/accept-chunk.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import { openBatch, refuseInBatch, sealBatch } from './batch-record.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import type { SuiteStore } from '../test-support/use-test-store.ts';
import { byMachineAlone } from '../admission/sharing.ts';

const started = { status: 'started', attempts: 1 } as const;
const cancelled = { status: 'cancelled', attempts: 0 } as const;
const keys = storeKeys(keySpace);

describe('batch record', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  it('is complete with the last of its requests', async () => {
    const { batchId, accepted } = await store.intake.acceptBatch([item(), item({ machineId: machine(3) })], {
      nowMs: arrivedAtMs,
    });
    await settleFirst(accepted[0]!.id);
    assert.equal((await store.reader.findBatch(batchId))?.isComplete, false);
    assert.equal(await redis.client.pttl(keys.batch(batchId)), -1);
    const last = (await store.tasks.waitingPage(0, 9)).at(-1) ?? '';
    await store.tasks.endWaiting(last, cancelled);
    const batch = await store.reader.findBatch(batchId);
    assert.equal(batch?.isComplete, true);
    assert.deepEqual([batch.counts.started, batch.counts.cancelled, batch.counts.queued], [1, 1, 0]);
    assert.ok((await redis.client.pttl(keys.batch(batchId))) > 0);
    assert.ok(await redis.client.hget(keys.batch(batchId), 'completedAt'));
  });

  it('is not complete before it is sealed, though all that is recorded of it is settled', async () => {
    await openUnsealedBatch(store);
    await store.tasks.begin('task-9', 'call-9');
    await store.tasks.settle('task-9', 'call-9', started);
    assert.equal((await store.reader.findBatch('batch-9'))?.isComplete, false);
    assert.equal(await redis.client.hget(keys.batch('batch-9'), 'completedAt'), null);
    await sealBatch(store.redis, keySpace, { batchId: 'batch-9', retentionMs });
    assert.equal((await store.reader.findBatch('batch-9'))?.isComplete, true);
    assert.ok(await redis.client.hget(keys.batch('batch-9'), 'completedAt'));
  });

  it('that is complete when it is sealed has its callback due, as one that is completed later', async () => {
    const rejected = { rejected: { index: 0, error: { code: 'invalid_item' as const, errors: [] } } };
    const url = 'https://soar.example/done';
    const [atOnce, later] = [
      await store.intake.acceptBatch([rejected], { nowMs: arrivedAtMs, callbackUrl: url }),
      await store.intake.acceptBatch([item()], { nowMs: arrivedAtMs, callbackUrl: url }),
    ];
    await settleFirst(later.accepted[0]!.id);
    assert.deepEqual(await redis.client.lrange(keys.callbacksDue, 0, '-1'), [
      `batch:${atOnce.batchId}`,
      `batch:${later.batchId}`,
    ]);
  });

  it('takes no refusal once it is sealed, and sealed again it stays as it is, complete or gone', async () => {
    const { batchId, accepted } = await store.intake.acceptBatch([item()], { nowMs: arrivedAtMs });
    await settleFirst(accepted[0]!.id);
    const completed = await store.dump();
    const error = { code: 'too_many_joined' as const, errors: [] };
    await refuseInBatch(store.redis, keySpace, batchId, [{ rejected: { index: 0, error } }]);
    await sealBatch(store.redis, keySpace, { batchId, retentionMs: 5 });
    assert.deepEqual(await store.dump(), completed);
    await redis.client.del(keys.batch(batchId), keys.batchItems(batchId));
    await sealBatch(store.redis, keySpace, { batchId, retentionMs });
    assert.equal(await redis.client.exists(keys.batch(batchId)), 0);
  });

  it('goes away by itself when it is never sealed, and does not come back with its requests', async () => {
    await openUnsealedBatch(store);
    assert.ok((await redis.client.pttl(keys.batch('batch-9'))) > 0);
    assert.ok((await redis.client.pttl(keys.batchItems('batch-9'))) > 0);
    await redis.client.del(keys.batch('batch-9'), keys.batchItems('batch-9'));
    await store.tasks.begin('task-9', 'call-9');
    await store.tasks.settle('task-9', 'call-9', started);
    assert.equal(await redis.client.exists(keys.batch('batch-9'), keys.batchItems('batch-9')), 0);
    assert.equal((await store.request('request-9')).document.status, 'started');
  });

  async function settleFirst(requestId: string): Promise<void> {
    const { id } = await store.taskOf(requestId);
    await store.tasks.begin(id, 'call-1');
    await store.tasks.settle(id, 'call-1', started);
  }
});

async function openUnsealedBatch(store: SuiteStore): Promise<void> {
  const batch = {
    batchId: 'batch-9',
    nowMs: arrivedAtMs,
    items: ['request-9'],
    rejected: 0,
    retentionMs,
  };
  await openBatch(store.redis, keySpace, batch);
  const doc = JSON.stringify({ ...item(), at: arrivedAtMs });
  const request = {
    id: 'request-9',
    newTaskId: 'task-9',
    machineId: machine(9),
    key: machine(9),
    doc,
    priority: 'medium' as const,
    flow: '',
    notAfterMs: undefined,
    bytes: 1_800,
  };
  const chunk = { requests: [request], batchId: 'batch-9', nowMs: arrivedAtMs };
  const rules = {
    order: defaultOrderRules,
    reuseWindowMs: 0,
    sharing: byMachineAlone,
    maxJoined: 5_000,
    maxJoinedOfCaller: 1_000,
    retentionMs,
  };
  await createAcceptChunk(store.redis, keySpace, rules).accept(chunk);
}
