import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createAuditLog } from '../operations/audit-log.ts';
import { createBulkCancel } from './bulk-cancel.ts';
import type { CancelFilter } from './bulk-cancel.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const anna = { name: 'anna', reason: 'wrong playbook' };

describe('bulk cancel', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const audit = () => createAuditLog(store.redis, keySpace, 60_000);
  const cancel = (filter: CancelFilter, budgetMs = 10_000, from?: string) =>
    createBulkCancel({
      redis: store.redis,
      keySpace,
      jobs: store.jobs,
      audit: audit(),
      retentionMs,
    }).cancel(filter, anna, { budgetMs, from });
  const items = (count: number, source: string, first = 1) =>
    Array.from({ length: count }, (_, n) => item({ machineId: machine(first + n), source }));
  const accept = (entries: ReturnType<typeof items>) =>
    store.intake.acceptBatch(entries, { nowMs: arrivedAtMs });

  it('cancels what is queued and fits, over several chunks, and leaves everything else', async () => {
    const { batchId } = await accept(items(600, 'soar'));
    const other = await accept(items(10, 'other', 1_000));
    assert.deepEqual(await cancel({ batchId }), { cancelled: 600, alreadyDispatched: 0, remaining: false });
    assert.equal((await store.reader.findBatch(batchId))?.counts.cancelled, 600);
    assert.equal((await store.reader.findBatch(other.batchId))?.counts.queued, 10);
    assert.equal(await store.jobs.countAll(), 10);
    assert.equal(await store.tasks.countWaiting(), 10);
  });

  it('goes by source and by machine, and by all filters together', async () => {
    const one = await accept([...items(3, 'a'), ...items(3, 'b', 10)]);
    await accept(items(3, 'a'));
    assert.equal((await cancel({ machineId: machine(1) })).cancelled, 2);
    assert.equal((await cancel({ batchId: one.batchId, source: 'a' })).cancelled, 2);
    assert.equal((await cancel({ source: 'a', machineId: machine(10) })).cancelled, 0);
    assert.equal((await cancel({ source: 'a' })).cancelled, 2);
    assert.equal((await store.reader.backlog()).counts.queued, 3);
  });

  it('goes by correlation and by priority', async () => {
    const of = (n: number, incident: string, priority: 'high' | 'low') =>
      item({ machineId: machine(n), priority, correlation: { incident, step: '1' } });
    await accept([
      of(1, 'INC-1', 'high'),
      of(2, 'INC-1', 'low'),
      of(3, 'INC-2', 'low'),
      of(4, 'INC-2', 'high'),
    ]);
    assert.equal((await cancel({ correlation: { incident: 'INC-1', step: '2' } })).cancelled, 0);
    assert.equal((await cancel({ correlation: { incident: 'INC-1' }, priority: 'low' })).cancelled, 1);
    assert.equal((await cancel({ correlation: { incident: 'INC-1' } })).cancelled, 1);
    assert.equal((await cancel({ priority: 'low' })).cancelled, 1);
    assert.deepEqual((await store.reader.backlog()).waitingByPriority, {
      critical: 0,
      high: 1,
      medium: 0,
      low: 0,
    });
  });

  it('goes on where its time was up, without a second look at what does not fit', async () => {
    await accept([item({ machineId: machine(9_000), priority: 'low' }), ...items(600, 'a')]);
    let looks = 0;
    let next: string | undefined;
    do {
      const done = await cancel({ priority: 'low' }, 0.000_001, next);
      next = done.next;
      looks += 1;
      assert.equal(done.cancelled, next === undefined ? 1 : 0);
    } while (next !== undefined);
    assert.equal(looks, 3);
  });

  it('tells of those whose call is under way, and cancels none of them', async () => {
    const { accepted } = await accept(items(3, 'a'));
    await store.tasks.begin((await store.taskOf(accepted[1]!.id)).id, 'call-1');
    assert.deepEqual(await cancel({ source: 'a' }), { cancelled: 2, alreadyDispatched: 1, remaining: false });
    assert.equal((await store.request(accepted[1]!.id)).document.status, 'dispatching');
  });

  it('says that more is left when its time is up, and goes on when asked again', async () => {
    const { batchId } = await accept(items(300, 'soar'));
    const first = await cancel({ batchId }, 0.000_001);
    assert.equal(first.remaining, true);
    assert.ok(first.next);
    const second = await cancel({ batchId });
    assert.equal(second.remaining, false);
    assert.equal(first.cancelled + second.cancelled, 300);
  });

  it('ends early when the service is being stopped, and says that more is left', async () => {
    const { batchId } = await accept(items(2, 'soar'));
    const done = await createBulkCancel({
      redis: store.redis,
      keySpace,
      jobs: store.jobs,
      audit: audit(),
      retentionMs,
    }).cancel({ batchId }, anna, { budgetMs: 10_000, closing: AbortSignal.abort() });
    assert.deepEqual(done, { cancelled: 0, alreadyDispatched: 0, remaining: true });
  });

  it('is in the record before anything is done, and again with what was done', async () => {
    await accept(items(2, 'a'));
    await cancel({ source: 'a' });
    const { entries } = await audit().page(10);
    const by = { by: 'anna', reason: 'wrong playbook', filter: { source: 'a' } };
    assert.deepEqual(
      entries.map(({ entry }) => entry),
      [
        { ...by, action: 'cancel_many_done', cancelled: 2, alreadyDispatched: 0, remaining: false },
        { ...by, action: 'cancel_many' },
      ],
    );
  });

  it('leaves no entry where nothing is to be cancelled, however often it is asked for', async () => {
    const { accepted, batchId } = await accept(items(2, 'a'));
    // Its call is under way: it fits, and cannot be cancelled.
    await store.tasks.begin((await store.taskOf(accepted[0]!.id)).id, 'call-1');
    await cancel({ source: 'a' });
    const left = (await audit().page(10)).entries.length;
    for (const filter of [{ source: 'a' }, { batchId }, { machineId: machine(1), batchId }])
      assert.deepEqual(await cancel(filter), { cancelled: 0, alreadyDispatched: 1, remaining: false });
    assert.equal((await cancel({ source: 'none' })).cancelled, 0);
    assert.equal((await audit().page(10)).entries.length, left);
  });

  it('leaves entries whose bytes count for the one who cancels, once for all that is cancelled', async () => {
    const counted = async (who: string) => Number(await store.redis.hget(`${keySpace}:stored`, who));
    const { batchId } = await store.intake.acceptBatch(items(600, 'a'), {
      nowMs: arrivedAtMs,
      caller: 'soar',
    });
    const before = await counted('soar');
    assert.equal((await cancel({ batchId })).cancelled, 600);
    const entries = await store.redis.xrange(`${keySpace}:audit`, '-', '+');
    const bytes = entries.reduce((sum, [, fields]) => sum + Buffer.byteLength(fields[1] ?? ''), 0);
    const more = await counted('anna');
    assert.ok(more >= bytes && more < bytes + 100, `${more} counted for ${bytes}`);
    assert.equal(await counted('soar'), before);
  });
});
