import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createDryRun } from '../admission/dry-run.ts';
import { createBulkCancel } from '../requests/bulk-cancel.ts';
import { createAuditLog } from '../operations/audit-log.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const keys = storeKeys(keySpace);
const past = new Date(Date.now() - 60_000).toISOString();
const unknown = { status: 'unknown', attempts: 1 } as const;

describe('a task that is corrupt or gone', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const accept = async (fields: Parameters<typeof item>[0] = {}) => {
    const { id } = await store.intake.acceptOne(item(fields), { nowMs: arrivedAtMs });
    return { id, taskId: (await store.request(id)).taskId };
  };
  const statusOf = async (id: string) => (await store.request(id)).document.status;
  const faults: [string, (key: string) => Promise<unknown>][] = [
    ['is gone', (key) => store.redis.del(key)],
    ['has no first request', (key) => store.redis.hdel(key, 'first')],
    ['has no place', (key) => store.redis.hdel(key, 'priority', 'virtualStart', 'jobPriority')],
    ['is settled although its machine leads to it', (key) => store.redis.hset(key, 'state', 'settled')],
  ];

  for (const [fault, damage] of faults) {
    it(`refuses no request for its machine: it gets another task, also in a batch and a dry run (it ${fault})`, async () => {
      const { taskId } = await accept();
      await damage(keys.task(taskId));
      const dryRun = createDryRun(store.redis, keySpace, store.jobs);
      const [place] = await dryRun.place([item()], { nowMs: arrivedAtMs, caller: undefined });
      assert.equal(place?.kind, 'own');
      const { accepted } = await store.intake.acceptBatch([item({ machineId: machine(2) }), item(), item()], {
        nowMs: arrivedAtMs,
      });
      const [other, own, joined] = accepted.map((one) => one ?? assert.fail());
      assert.deepEqual([other?.coalescedWith, own?.coalescedWith], [undefined, undefined]);
      assert.equal(joined?.coalescedWith, own?.id);
      const task = await store.taskOf(own?.id ?? '');
      assert.notEqual(task.id, taskId);
      assert.deepEqual(await store.tasks.begin(task.id, 'call'), { moved: true });
    });
  }

  for (const [fault, damage] of faults.slice(0, 2)) {
    it(`keeps no request from expiring (it ${fault})`, async () => {
      const [poison, other] = [
        await accept({ notAfter: past }),
        await accept({ notAfter: past, machineId: machine(2) }),
      ];
      await damage(keys.task(poison.taskId));
      const { requestIds, ended } = await store.tasks.expireDue();
      assert.deepEqual(requestIds.toSorted(), [poison.id, other.id].toSorted());
      assert.deepEqual(ended.toSorted(), [poison.taskId, other.taskId].toSorted());
      assert.deepEqual([await statusOf(poison.id), await statusOf(other.id)], ['expired', 'expired']);
      assert.equal(await store.tasks.countWaiting(), 0);
    });

    it(`keeps no request from being cancelled (it ${fault})`, async () => {
      const [poison, other] = [
        await accept({ source: 'soar' }),
        await accept({ source: 'soar', machineId: machine(2) }),
      ];
      await damage(keys.task(poison.taskId));
      const { redis: connection, jobs } = store;
      const audit = createAuditLog(connection, keySpace, retentionMs);
      const cancelling = createBulkCancel({ redis: connection, keySpace, jobs, audit, retentionMs });
      const done = await cancelling.cancel({ source: 'soar' }, { name: 'anna' }, { budgetMs: 5_000 });
      assert.equal(done.cancelled, 2);
      assert.deepEqual([await statusOf(poison.id), await statusOf(other.id)], ['cancelled', 'cancelled']);
    });
  }

  it('takes nothing from the task that was opened in its place when it ends', async () => {
    const corrupt = await accept();
    await store.redis.hdel(keys.task(corrupt.taskId), 'first');
    const own = await accept();
    assert.notEqual(own.taskId, corrupt.taskId);
    assert.deepEqual(await store.tasks.endWaiting(corrupt.taskId, unknown), { moved: true });
    const joined = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs });
    assert.equal(joined.coalescedWith, own.id);
  });

  it('can be ended where only the indexes know of it, and leaves them', async () => {
    const [sent, looked, waiting] = [
      await accept(),
      await accept({ machineId: machine(2) }),
      await accept({ machineId: machine(3) }),
    ];
    for (const { taskId } of [sent, looked]) await store.tasks.begin(taskId, '');
    const unresolved = { cause: 'lost', error: { code: 'call_timeout', message: 'no answer' } } as const;
    await store.tasks.reconcile(looked.taskId, '', unresolved, 0);
    for (const { taskId } of [sent, looked, waiting]) {
      await store.redis.del(keys.task(taskId));
      if (taskId === waiting.taskId) await store.tasks.begin(taskId, '');
      assert.deepEqual(await store.tasks.settle(taskId, '', unknown), { moved: true });
    }
    for (const key of [keys.waiting, keys.inFlight, keys.reconciling]) {
      assert.equal(await store.redis.zcard(key), 0, key);
    }
    assert.deepEqual(await store.tasks.settle('never-was', '', unknown), {
      moved: false,
      state: 'missing',
      callId: undefined,
    });
  });
});
