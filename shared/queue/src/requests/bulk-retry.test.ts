import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { BacklogFullError } from '../admission/accept-chunk.ts';
import { createAuditLog } from '../operations/audit-log.ts';
import { createPurge } from '../operations/purge.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { createBulkRetry, RetryStoppedError } from './bulk-retry.ts';
import type { BulkRetried, RetryFilter, RetryOrder } from './bulk-retry.ts';

const anna = { name: 'anna', reason: 'agents are back' };
const failed = { status: 'failed', error: { code: 'x', message: 'none such' }, attempts: 1 } as const;
const none: BulkRetried = {
  retried: 0,
  coalesced: 0,
  alreadyRetried: 0,
  deadlinePassed: 0,
  tooManyJoined: 0,
  remaining: false,
};

describe('bulk retry', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const audit = () => createAuditLog(store.redis, keySpace, 60_000);
  const accepting: RetryOrder['accept'] = (retries, caller) =>
    store.intake.acceptRetries(retries, { nowMs: arrivedAtMs, caller });
  const retry = (
    filter: RetryFilter,
    { budgetMs = 10_000, from, ...order }: Partial<RetryOrder> & { budgetMs?: number; from?: string } = {},
  ) =>
    createBulkRetry({ redis: store.redis, keySpace, audit: audit() }).retry(
      { filter, actor: anna, nowMs: arrivedAtMs, accept: accepting, ...order },
      { budgetMs, ...(from === undefined ? {} : { from }) },
    );
  async function ended(n: number, fields: Parameters<typeof item>[0] = {}, caller = 'soar') {
    const asked = item({ machineId: machine(n), ...fields });
    const { id } = await store.intake.acceptOne(asked, { nowMs: arrivedAtMs, caller });
    const { taskId } = await store.request(id);
    await store.tasks.begin(taskId, `call-${n}`);
    await store.tasks.settle(taskId, `call-${n}`, failed);
    return id;
  }
  const queued = async () => (await store.reader.backlog()).counts.queued;

  it('asks again for what fits: the same, of the same caller, and each leads to the other', async () => {
    const asked = { source: 'edr', priority: 'high', correlation: { incident: 'INC-1' } } as const;
    const id = await ended(1, asked);
    await ended(2, { correlation: { incident: 'INC-2' } });
    const filter: RetryFilter = { status: ['failed'], correlation: { incident: 'INC-1' } };
    assert.deepEqual(await retry(filter), { ...none, retried: 1 });
    const { document } = await store.request(id);
    const again = await store.request(document.retriedBy ?? '');
    assert.deepEqual(
      [again.caller, again.document.status, again.document.retryOf, again.document.batchId],
      ['soar', 'queued', id, undefined],
    );
    for (const field of ['machineId', 'comment', 'source', 'priority', 'correlation'] as const)
      assert.deepEqual(again.document[field], document[field]);
    const task = await store.taskOf(again.document.id);
    assert.equal(task.machineId, machine(1));
    assert.deepEqual(await store.jobs.have([task.id]), [true]);
  });

  it('asks for each once, however often and by however many it is asked', async () => {
    for (const n of [1, 2, 3]) await ended(n);
    const answers = await Promise.all([1, 2, 3].map(() => retry({ status: ['failed'] })));
    assert.equal(
      answers.reduce((sum, { retried }) => sum + retried, 0),
      3,
    );
    assert.deepEqual(await retry({ status: ['failed'] }), { ...none, alreadyRetried: 3 });
    assert.equal(await queued(), 3);
  });

  it('asks again for a retry that failed, and not for what that was of', async () => {
    const first = await ended(1);
    await retry({ status: ['failed'] });
    const { retriedBy = '' } = (await store.request(first)).document;
    const { taskId } = await store.request(retriedBy);
    await store.tasks.begin(taskId, 'call-again');
    await store.tasks.settle(taskId, 'call-again', failed);
    assert.deepEqual(await retry({ status: ['failed'] }), { ...none, retried: 1, alreadyRetried: 1 });
    const [newest] = (await store.redis.zrange(`${keySpace}:listed:queued`, 0, '-1')).toReversed();
    assert.equal((await store.request(newest ?? '')).document.retryOf, retriedBy);
  });

  it('takes the statuses that are named, of the filter alone', async () => {
    const cancelled = await store.intake.acceptOne(item({ machineId: machine(1), source: 'a' }), {
      nowMs: arrivedAtMs,
    });
    await store.tasks.endWaiting((await store.request(cancelled.id)).taskId, {
      status: 'cancelled',
      attempts: 0,
    });
    await ended(2, { source: 'a' });
    await ended(3, { source: 'b' });
    assert.equal((await retry({ status: ['unknown', 'expired'] })).retried, 0);
    assert.equal((await retry({ status: ['cancelled', 'failed'], source: 'a', caller: 'other' })).retried, 0);
    assert.equal((await retry({ status: ['cancelled', 'failed'], source: 'a' })).retried, 2);
    assert.equal(await queued(), 2);
  });

  it('leaves out what is not to be started any more, unless it gets another deadline', async () => {
    const id = await ended(1, { notAfter: '2099-01-01T00:00:00.000Z' });
    const later = { nowMs: Date.parse('2099-01-01T00:00:00.000Z') };
    assert.deepEqual(await retry({ status: ['failed'] }, later), { ...none, deadlinePassed: 1 });
    assert.deepEqual(await retry({ status: ['failed'] }, { ...later, notAfter: null }), {
      ...none,
      retried: 1,
    });
    const { retriedBy = '' } = (await store.request(id)).document;
    assert.equal((await store.request(retriedBy)).document.notAfter, undefined);
  });

  it('shares a call, or what was started just now', async () => {
    for (const n of [1, 1]) await ended(n);
    assert.deepEqual(await retry({ status: ['failed'] }), { ...none, retried: 2, coalesced: 1 });
    assert.equal(await store.tasks.countWaiting(), 1);
  });

  it('goes on where its time was up, until all are asked for', async () => {
    const items = Array.from({ length: 300 }, (_, n) => item({ machineId: machine(n + 1) }));
    const { batchId } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
    for (const taskId of await store.tasks.waitingPage(0, 999))
      await store.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
    const filter: RetryFilter = { status: ['cancelled'], batchId };
    const first = await retry(filter, { budgetMs: 0.000_001 });
    assert.deepEqual([first.retried, first.remaining], [250, true]);
    assert.ok(first.next);
    assert.deepEqual(await retry(filter, { from: first.next }), { ...none, retried: 50 });
    assert.equal((await store.reader.backlog()).waitingTasks, 300);
  });

  it('stops where no more is accepted, says what was done, and goes on from there', async () => {
    for (const n of [1, 2, 3]) await ended(n, {}, n === 2 ? 'portal' : 'soar');
    const full: RetryOrder['accept'] = (retries, caller) => {
      if (caller === 'portal') throw new BacklogFullError(1, 1, 1);
      return accepting(retries, caller);
    };
    await assert.rejects(retry({ status: ['failed'] }, { accept: full }), (error) => {
      assert.ok(error instanceof RetryStoppedError && error.cause instanceof BacklogFullError);
      assert.deepEqual([error.done.retried, error.done.remaining], [2, true]);
      return true;
    });
    assert.deepEqual(await retry({ status: ['failed'] }), { ...none, retried: 1, alreadyRetried: 2 });
  });

  it('leaves entries that count for the one who asks, and none where there is nothing to do', async () => {
    await retry({ status: ['failed'] });
    assert.equal((await audit().page(10)).entries.length, 0);
    await ended(1);
    const filter: RetryFilter = { status: ['failed'] };
    await retry(filter);
    await retry(filter);
    const by = { by: 'anna', reason: anna.reason, filter };
    assert.deepEqual(
      (await audit().page(10)).entries.map(({ entry }) => entry),
      [
        { ...by, action: 'retry_many_done', ...none, retried: 1 },
        { ...by, action: 'retry_many' },
      ],
    );
    const entries = await store.redis.xrange(`${keySpace}:audit`, '-', '+');
    const bytes = entries.reduce((sum, [, fields]) => sum + Buffer.byteLength(fields[1] ?? ''), 0);
    assert.equal(Number(await store.redis.hget(`${keySpace}:stored`, 'anna')), bytes);
  });

  it('marks nothing that is gone meanwhile', async () => {
    const id = await ended(1);
    const goneFirst: RetryOrder['accept'] = async (retries, caller) => {
      await createPurge({ redis: store.redis, keySpace, audit: audit(), retentionMs }).purge(
        { caller: 'soar' },
        anna,
        { budgetMs: 10_000 },
      );
      return accepting(retries, caller);
    };
    assert.equal((await retry({ status: ['failed'] }, { accept: goneFirst })).retried, 0);
    assert.equal(await store.redis.exists(`${keySpace}:request:${id}`), 0);
  });
});
