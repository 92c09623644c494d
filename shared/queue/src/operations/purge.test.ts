import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createAuditLog } from './audit-log.ts';
import { createPurge } from './purge.ts';
import type { PurgeFilter } from './purge.ts';
import { createRequestList } from '../requests/list-requests.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const keys = storeKeys(keySpace);
const actor = { name: 'operator', reason: 'redis is full' };
const refused = { rejected: { index: 1, error: { code: 'invalid_item' as const, errors: [] } } };

describe('deleting what has ended', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const audit = () => createAuditLog(store.redis, keySpace, 3_600_000);
  const purge = (filter: PurgeFilter, bounds = { budgetMs: 5_000 }) =>
    createPurge({ redis: store.redis, keySpace, audit: audit(), retentionMs }).purge(filter, actor, bounds);

  let machines = 0;
  async function accept(count: number, caller: string) {
    const entries = Array.from({ length: count }, () =>
      item({ machineId: machine((machines += 1)), source: `of ${caller}` }),
    );
    return store.intake.acceptBatch([...entries, refused], { nowMs: arrivedAtMs, caller });
  }
  /** Ends all that waits of a batch. */
  async function end({ accepted }: Awaited<ReturnType<typeof accept>>): Promise<void> {
    for (const one of accepted) {
      if (!one) continue;
      const { id } = await store.taskOf(one.id);
      await store.jobs.remove(id);
      await store.tasks.endWaiting(id, { status: 'cancelled', attempts: 0 });
    }
  }
  const leftOf = async (parts: readonly string[]) =>
    (await redis.client.keys(`${keySpace}:*`)).filter((name) => parts.some((part) => name.includes(part)));

  it('leaves nothing of a batch that is complete: no request, task, list or entry of an index', async () => {
    const batch = await accept(3, 'soar');
    await end(batch);
    const done = await purge({ batchId: batch.batchId });
    assert.deepEqual(done, { requests: 3, batches: 1, remaining: false });
    assert.deepEqual(await leftOf([':request:', ':task:', ':batch:', ':listed', ':ended']), []);
    assert.deepEqual(await purge({ batchId: batch.batchId }), { requests: 0, batches: 0, remaining: false });
  });

  it('touches nothing that is open, nor a batch that has such a one', async () => {
    const batch = await accept(4, 'soar');
    const [first, second] = batch.accepted;
    const called = (await store.taskOf(first!.id)).id;
    await store.tasks.begin(called, 'call');
    await store.tasks.endWaiting((await store.taskOf(second!.id)).id, {
      status: 'cancelled',
      attempts: 0,
    });
    const before = await store.reader.backlog();
    for (const filter of [{ batchId: batch.batchId }, { caller: 'soar' }]) {
      const { batches, remaining } = await purge(filter);
      assert.deepEqual([batches, remaining], [0, false]);
    }
    assert.deepEqual(await store.reader.backlog(), before);
    assert.equal(await store.reader.findRequest(second!.id), undefined);
    const items = await store.reader.batchItems(batch.batchId, 0, 10);
    assert.deepEqual(
      items.map((one) =>
        'request' in one ? one.request.document.status : 'gone' in one ? 'gone' : 'rejected',
      ),
      ['dispatching', 'gone', 'queued', 'queued', 'rejected'],
    );
    await store.tasks.settle(called, 'call', {
      status: 'started',
      attempts: 1,
      result: { kind: 'investigation', id: '7' },
    });
    assert.equal((await store.request(first!.id)).document.investigationId, '7');
  });

  it('deletes of one caller alone what is asked of that caller', async () => {
    const [mine, others] = [await accept(3, 'mine'), await accept(2, 'others')];
    await end(mine);
    await end(others);
    assert.deepEqual(await purge({ caller: 'mine' }), { requests: 3, batches: 1, remaining: false });
    assert.equal(await store.reader.findBatch(mine.batchId), undefined);
    assert.equal((await store.reader.findBatch(others.batchId))?.counts.cancelled, 2);
    const { requests } = await createRequestList(store.redis, keySpace).page({ source: 'of others' }, 10);
    assert.equal(requests.length, 2);
  });

  it('leaves what another caller shares whole, its task too, until that is deleted as well', async () => {
    const shared = item({ machineId: machine((machines += 1)) });
    const [first, second, third] = [
      await store.intake.acceptOne(shared, { nowMs: arrivedAtMs, caller: 'first' }),
      await store.intake.acceptOne(
        { ...shared, comment: 'second' },
        { nowMs: arrivedAtMs, caller: 'second' },
      ),
      await store.intake.acceptOne({ ...shared, comment: 'third' }, { nowMs: arrivedAtMs, caller: 'third' }),
    ];
    const { id } = await store.taskOf(first.id);
    await store.tasks.begin(id, 'call');
    await store.tasks.settle(id, 'call', {
      status: 'started',
      attempts: 1,
      result: { kind: 'investigation', id: '7' },
    });
    await purge({ caller: 'first' });
    assert.match((await store.tasks.find(id))?.comment ?? '', /^second\n--- .*third$/);
    assert.equal((await store.request(second.id)).document.investigationId, '7');
    await purge({ caller: 'third' });
    assert.equal((await store.tasks.find(id))?.comment, 'second');
    assert.equal(await store.reader.findRequest(third.id), undefined);
    await purge({ caller: 'second' });
    assert.deepEqual(await leftOf([':task:', ':request:']), []);
  });

  it('deletes what ended before a time, and nothing that ended later', async () => {
    const early = await accept(2, 'soar');
    await end(early);
    const both = await accept(2, 'soar');
    await end({ ...both, accepted: both.accepted.slice(0, 1) });
    const [seconds, microseconds] = await redis.client.time();
    const betweenMs = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
    const later = await accept(2, 'soar');
    while (Date.now() <= betweenMs) await new Promise(setImmediate);
    await end(later);
    await end({ ...both, accepted: both.accepted.slice(1) });
    const done = await purge({ endedBefore: new Date(betweenMs).toISOString() });
    assert.deepEqual(done, { requests: 3, batches: 1, remaining: false });
    assert.equal((await store.reader.findBatch(both.batchId))?.isComplete, true);
    assert.equal((await store.reader.findBatch(later.batchId))?.counts.cancelled, 2);
  });

  it('goes on where its time was up, over more than one script deletes', async () => {
    const [mine, others] = [await accept(300, 'mine'), await accept(260, 'others')];
    await end(others);
    await end(mine);
    const first = await purge({ caller: 'mine' }, { budgetMs: 0 });
    assert.deepEqual(first, { requests: 0, batches: 0, remaining: true });
    assert.deepEqual(await purge({ caller: 'mine' }), { requests: 300, batches: 1, remaining: false });
    assert.deepEqual(await purge({ batchId: others.batchId }), {
      requests: 260,
      batches: 1,
      remaining: false,
    });
    assert.equal(await redis.client.exists(keys.ended), 0);
  }).timeout(20_000);

  it('leaves in the record who deleted what and why, and how much it was', async () => {
    const batch = await accept(1, 'soar');
    await end(batch);
    await purge({ batchId: batch.batchId });
    const { entries } = await audit().page(10);
    const filter = { batchId: batch.batchId };
    const about = { by: 'operator', reason: 'redis is full', filter };
    assert.deepEqual(
      entries.map(({ entry }) => entry),
      [
        { action: 'purge_done', ...about, requests: 1, batches: 1, remaining: false },
        { action: 'purge', ...about },
      ],
    );
  });

  it('makes room in a Redis that is full', async () => {
    const batch = await accept(200, 'soar');
    await end(batch);
    const used = async () => Number(/used_memory:(\d+)/.exec(await redis.client.info('memory'))?.[1]);
    const before = await used();
    await redis.client.config('SET', 'maxmemory', String(before - 1_000));
    try {
      await assert.rejects(redis.client.set('more', 'x'.repeat(100)), /OOM/);
      assert.equal((await purge({ caller: 'soar' })).requests, 200);
      assert.ok((await used()) < before - 100_000, `${before - (await used())} bytes`);
      await redis.client.set('more', 'x'.repeat(100));
    } finally {
      await redis.client.config('SET', 'maxmemory', '0');
    }
  });
});
