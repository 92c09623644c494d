import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { batchTailSize, createBatchTailReader } from './batch-tail.ts';
import type { BatchTailReader } from './batch-tail.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import { createRequestActions } from '../requests/request-actions.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const hourMs = 3_600_000;

describe('the last place that a batch has in the order', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  let reader: BatchTailReader;

  beforeEach(async () => {
    reader = createBatchTailReader(store.redis, keySpace, store.jobs);
  });

  /** One item per number; the machine is the number. */
  async function submit(
    numbers: readonly number[],
    fields: Parameters<typeof item>[0] = {},
    atMs = arrivedAtMs,
  ) {
    const items = numbers.map((n) => item({ machineId: machine(n), ...fields }));
    const { batchId, accepted } = await store.intake.acceptBatch(items, { nowMs: atMs });
    const ids = accepted.map((answer) => (answer && 'id' in answer ? answer.id : ''));
    return { batchId, ids };
  }

  async function lastPosition(batchId: string): Promise<number | undefined> {
    const batch = await store.reader.findBatch(batchId);
    assert.ok(batch);
    return reader.lastPosition(batch);
  }

  /** By asking for every request. */
  async function trueLast(ids: readonly string[]): Promise<number> {
    const tasks = await Promise.all(ids.map(async (id) => (await store.request(id)).taskId));
    return Math.max(...(await store.jobs.positions(tasks)).map((position) => position ?? 0));
  }

  async function end(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const { taskId } = await store.request(id);
      await store.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
      await store.jobs.remove(taskId);
    }
  }

  it('is that of its own last task, and not the end of all that waits', async () => {
    const { batchId, ids } = await submit([1, 2, 3], { source: 'a' });
    const later = await submit([11, 12, 13, 14], { source: 'a', priority: 'low' });
    assert.equal(await lastPosition(batchId), 3);
    assert.equal(await trueLast(ids), 3);
    assert.equal(await lastPosition(later.batchId), 7);
  });

  it('is that of a task that it joined where that comes later than its own', async () => {
    const numbers = Array.from({ length: 30 }, (_, i) => i + 1);
    await submit(numbers, { priority: 'low' });
    const items = [30, 101, 102].map((n) =>
      item({ machineId: machine(n), priority: n < 100 ? 'low' : 'high' }),
    );
    const { batchId } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs + 1 });
    assert.equal(await lastPosition(batchId), 32);
  });

  it('is that of what it added where all that it joined has the same job priority', async () => {
    const numbers = Array.from({ length: batchTailSize }, (_, i) => i + 1);
    const sourced = (n: number) => item({ machineId: machine(n), source: `s${n}` });
    await store.intake.acceptBatch(numbers.map(sourced), { nowMs: arrivedAtMs });
    const { batchId } = await store.intake.acceptBatch([101, ...numbers].map(sourced), {
      nowMs: arrivedAtMs,
    });
    assert.equal(await lastPosition(batchId), batchTailSize + 1);
  });

  it('is known from the tail alone, without a look at the items', async () => {
    const { batchId } = await submit(Array.from({ length: 300 }, (_, i) => i + 1));
    await store.redis.del(`${keySpace}:batch:${batchId}:items`);
    assert.equal((await store.reader.findBatch(batchId))?.tail.length, batchTailSize);
    assert.equal(await lastPosition(batchId), 300);
  });

  it('moves back with what goes before it', async () => {
    const { batchId } = await submit([1, 2, 3]);
    await submit([11, 12], { priority: 'critical' });
    assert.equal(await lastPosition(batchId), 5);
  });

  it('is known when the last ones end, one after the other, until none waits', async () => {
    const numbers = Array.from({ length: 3 * batchTailSize }, (_, i) => i + 1);
    const { batchId, ids } = await submit(numbers);
    for (let left = ids; left.length > 0; left = left.slice(0, -5)) {
      assert.equal(await lastPosition(batchId), await trueLast(left), `${left.length} left`);
      await end(left.slice(-5));
    }
  });

  it('is read from the batch once, and then from its new tail', async () => {
    const numbers = Array.from({ length: 2 * batchTailSize }, (_, i) => i + 1);
    const { batchId, ids } = await submit(numbers);
    await end(ids.slice(-batchTailSize));
    const before = (await store.reader.findBatch(batchId))?.tail;
    assert.equal(await lastPosition(batchId), batchTailSize);
    const after = (await store.reader.findBatch(batchId))?.tail;
    assert.notDeepEqual(after, before);
    assert.equal(after?.[0], ids[batchTailSize - 1]);
    await store.redis.del(`${keySpace}:batch:${batchId}:items`);
    assert.equal(await lastPosition(batchId), batchTailSize);
  });

  it('is next while the last job is claimed, and nowhere while it is missing', async () => {
    const { batchId, ids } = await submit([1]);
    const { taskId } = await store.request(ids[0] ?? '');
    await store.redis.zrem(`${keySpace}:queue:prioritized`, taskId);
    assert.equal(await lastPosition(batchId), 1);
    await store.jobs.remove(taskId);
    assert.equal(await lastPosition(batchId), undefined);
  });

  it('holds for classes and sources that mix', async () => {
    const items = Array.from({ length: 60 }, (_, i) =>
      item({
        machineId: machine(1 + ((i * 7) % 45)),
        priority: (['high', 'medium', 'low'] as const)[i % 3] ?? 'low',
        source: `s${i % 4}`,
      }),
    );
    await submit([1, 2, 3, 4, 5], { source: 's1' }, arrivedAtMs - hourMs);
    const { batchId, accepted } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
    await submit([201, 202, 203], { source: 's9' }, arrivedAtMs + hourMs);
    const ids = accepted.map((answer) => (answer && 'id' in answer ? answer.id : ''));
    assert.equal(await lastPosition(batchId), await trueLast(ids));
  });

  it('is that of a request that was moved back by a change of its priority', async () => {
    const numbers = Array.from({ length: 2 * batchTailSize }, (_, i) => i + 1);
    const { batchId, ids } = await submit(numbers, { priority: 'high' });
    await submit([101, 102, 103]);
    assert.equal(await lastPosition(batchId), ids.length);
    const { redis: connection, jobs } = store;
    const options = { redis: connection, keySpace, jobs, order: defaultOrderRules };
    const actions = createRequestActions({ ...options, retentionMs, auditKeptMs: hourMs });
    await actions.change(ids[0] ?? '', { priority: 'low' }, { name: 'anna', reason: 'can wait' });
    assert.equal(await lastPosition(batchId), ids.length + 3);
  });

  it('brings back no batch that is gone', async () => {
    await reader.lastPosition({ id: 'gone', tail: [] });
    assert.equal(await store.redis.exists(`${keySpace}:batch:gone`), 0);
  });
});
