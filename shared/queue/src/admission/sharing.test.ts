import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createRequestIntake } from './accept-requests.ts';
import { createDryRun } from './dry-run.ts';
import type { Sharing } from './sharing.ts';
import { createAuditLog } from '../operations/audit-log.ts';
import { createPurge } from '../operations/purge.ts';
import { createRequestActions } from '../requests/request-actions.ts';
import { createRequestList } from '../requests/list-requests.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const hourMs = 3_600_000;
const keys = storeKeys(keySpace);
/** As of an operation whose requests share a call only where they ask for the same depth. */
const byDepth: Sharing = {
  coalescingKey: ({ depth }) => String(depth),
  isReusable: true,
  resultKind: 'machineAction',
};
const quick = item({ parameters: { depth: 'quick' } });
const full = item({ parameters: { depth: 'full' } });

describe('requests of an operation with parameters', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const open = (sharing = byDepth) => {
    const options = { redis: store.redis, keySpace, jobs: store.jobs, retentionMs };
    return {
      intake: createRequestIntake({ ...options, sharing, reuseWindowMs: hourMs }),
      dryRun: createDryRun(store.redis, keySpace, store.jobs, { sharing, reuseWindowMs: hourMs }),
      actions: createRequestActions({ ...options, order: defaultOrderRules, auditKeptMs: hourMs }),
    };
  };
  const accept = (asked: typeof quick, sharing = byDepth) =>
    open(sharing).intake.acceptOne(asked, { nowMs: arrivedAtMs });
  async function start(requestId: string, id: string): Promise<void> {
    const task = await store.taskOf(requestId);
    await store.jobs.remove(task.id);
    await store.tasks.begin(task.id, `call-${id}`);
    const result = { kind: 'machineAction', id } as const;
    assert.deepEqual(
      await store.tasks.settle(task.id, `call-${id}`, { status: 'started', result, attempts: 1 }),
      { moved: true },
    );
  }

  it('share a call with those that ask for the same, and none with the others of their machine', async () => {
    const { accepted } = await open().intake.acceptBatch([quick, full, quick, full], { nowMs: arrivedAtMs });
    const ids = accepted.map((one) => one?.id);
    assert.deepEqual(
      accepted.map((one) => one?.coalescedWith),
      [undefined, undefined, ids[0], ids[1]],
    );
    assert.equal(await store.tasks.countWaiting(), 2);
    const later = await accept(full);
    assert.equal(later.coalescedWith, ids[1]);
  });

  it('keep what was asked, for the caller and for the call', async () => {
    const { id } = await accept(full);
    const { document } = await store.request(id);
    assert.deepEqual(document.parameters, { depth: 'full' });
    assert.ok(!('key' in document));
    assert.deepEqual((await store.taskOf(id)).parameters, { depth: 'full' });
    assert.equal((await store.taskOf(id)).machineId, machine(1));
  });

  it('end with a result that was started just now where it is of the same, and not with another one', async () => {
    const first = await accept(quick);
    await start(first.id, 'action-1');
    const again = await accept(quick);
    assert.deepEqual(again, {
      id: again.id,
      coalescedWith: first.id,
      result: { kind: 'machineAction', id: 'action-1' },
    });
    const { document } = await store.request(again.id);
    assert.deepEqual(
      [document.status, document.result, document.investigationId],
      ['started', { kind: 'machineAction', id: 'action-1' }, undefined],
    );
    assert.equal((await accept(full)).result, undefined);
  });

  it('share nothing that was started before where another operation can have undone it', async () => {
    const first = await accept(quick);
    await start(first.id, 'action-1');
    const again = await accept(quick, { ...byDepth, isReusable: false });
    assert.deepEqual([again.coalescedWith, again.result], [undefined, undefined]);
  });

  it('are foreseen by a dry run as they are accepted', async () => {
    const { dryRun } = open();
    await start((await accept(full)).id, 'action-1');
    const waiting = await accept(quick);
    const other = { ...quick, machineId: machine(2) };
    const otherFull = { ...full, machineId: machine(2) };
    const items = [quick, full, other, otherFull, other];
    const places = await dryRun.place(items, { nowMs: Date.now(), caller: undefined });
    assert.deepEqual(
      places.map(({ kind }) => kind),
      ['joins', 'reused', 'own', 'own', 'joins'],
    );
    assert.deepEqual(places[0], { kind: 'joins', joins: { first: waiting.id }, position: 1 });
    assert.deepEqual(places[4], { kind: 'joins', joins: { index: 2 }, position: 2 });
    const { accepted } = await open().intake.acceptBatch(items, { nowMs: Date.now() });
    assert.deepEqual(
      accepted.map((one) => one?.result?.id ?? one?.coalescedWith),
      [waiting.id, 'action-1', undefined, undefined, accepted[2]?.id],
    );
  });

  it('free what they share when the last of them is cancelled, and leave that of the others', async () => {
    const [first, other] = [await accept(quick), await accept(full)];
    assert.deepEqual(await open().actions.cancel(first.id, { name: 'anna' }), { kind: 'done' });
    assert.deepEqual(await store.redis.hkeys(keys.machines), [`${machine(1)}:full`]);
    assert.equal((await accept(quick)).coalescedWith, undefined);
    assert.equal((await accept(full)).coalescedWith, other.id);
  });

  it('free it also where the task has lost what it was for', async () => {
    const first = await accept(quick);
    const { taskId } = await store.request(first.id);
    await store.redis.hdel(keys.task(taskId), 'machine', 'key', 'first');
    assert.deepEqual(await open().actions.cancel(first.id, { name: 'anna' }), { kind: 'done' });
    assert.deepEqual(await store.redis.hkeys(keys.machines), []);
  });

  it('are listed with their machine, while they wait and when they have ended', async () => {
    const ids = [(await accept(quick)).id, (await accept(full)).id];
    const list = createRequestList(store.redis, keySpace);
    const listed = async () => {
      const { requests } = await list.page({ machineId: machine(1) }, 10);
      return requests.map(({ document }) => document.id).toSorted();
    };
    assert.deepEqual(await listed(), ids.toSorted());
    await start(ids[0] ?? '', 'action-1');
    assert.deepEqual(await listed(), ids.toSorted());
  });

  it('are deleted without a rest', async () => {
    const { batchId, accepted } = await open().intake.acceptBatch([quick, full], { nowMs: arrivedAtMs });
    for (const [i, one] of accepted.entries()) await start(one?.id ?? '', `action-${i}`);
    const audit = createAuditLog(store.redis, keySpace, hourMs);
    const purging = createPurge({ redis: store.redis, keySpace, audit, retentionMs });
    await purging.purge({ batchId }, { name: 'anna' }, { budgetMs: 5_000 });
    const left = await store.redis.keys(`${keySpace}:*`);
    assert.deepEqual(
      left.filter((name) => /:(request|task|batch|listed|listed-by|ended|machines)\b/.test(name)),
      [],
    );
  });

  it('keep their parameters when they are changed', async () => {
    const { id } = await accept(full);
    const actor = { name: 'anna' };
    assert.deepEqual(await open().actions.change(id, { priority: 'high' }, actor), { kind: 'done' });
    const { document } = await store.request(id);
    assert.deepEqual([document.priority, document.parameters], ['high', { depth: 'full' }]);
    assert.deepEqual(await open().actions.cancel(id, actor), { kind: 'done' });
    assert.deepEqual(await store.redis.hkeys(keys.machines), []);
  });
});
