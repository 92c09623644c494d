import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createBulkCancel } from './bulk-cancel.ts';
import { createAuditLog } from './audit-log.ts';
import { createRequestPreview } from './preview-requests.ts';
import { storeKeys } from './store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from './test-support/test-store.ts';
import { useTestStore } from './test-support/use-test-store.ts';

const keys = storeKeys(keySpace);
const past = new Date(Date.now() - 60_000).toISOString();
const unknown = { status: 'unknown', attempts: 1 } as const;

describe('a dispatch that is corrupt or gone', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const accept = async (fields: Parameters<typeof item>[0] = {}) => {
    const { id } = await store.intake.acceptOne(item(fields), arrivedAtMs);
    return { id, dispatchId: (await store.request(id)).dispatchId };
  };
  const statusOf = async (id: string) => (await store.request(id)).document.status;
  const faults: [string, (key: string) => Promise<unknown>][] = [
    ['is gone', (key) => store.redis.del(key)],
    ['has no first request', (key) => store.redis.hdel(key, 'first')],
    ['has no place', (key) => store.redis.hdel(key, 'class', 'tag', 'priority')],
    ['is settled although its machine leads to it', (key) => store.redis.hset(key, 'state', 'settled')],
  ];

  for (const [fault, damage] of faults) {
    it(`refuses nobody who asks for its machine: they get another, also in a batch and a preview (it ${fault})`, async () => {
      const { dispatchId } = await accept();
      await damage(keys.dispatch(dispatchId));
      const preview = await createRequestPreview(store.redis, keySpace, store.tickets).read(
        [item()],
        arrivedAtMs,
      );
      assert.equal(preview.open.size, 0);
      const { accepted } = await store.intake.acceptBatch(
        [item({ machineId: machine(2) }), item(), item()],
        arrivedAtMs,
      );
      const [other, own, joined] = accepted.map((one) => one ?? assert.fail());
      assert.deepEqual([other?.coalescedWith, own?.coalescedWith], [undefined, undefined]);
      assert.equal(joined?.coalescedWith, own?.id);
      const dispatch = await store.dispatchOf(own?.id ?? '');
      assert.notEqual(dispatch.id, dispatchId);
      assert.deepEqual(await store.dispatches.begin(dispatch.id, 'call'), { moved: true });
    });
  }

  for (const [fault, damage] of faults.slice(0, 2)) {
    it(`keeps no request from expiring (it ${fault})`, async () => {
      const [poison, other] = [
        await accept({ notAfter: past }),
        await accept({ notAfter: past, machineId: machine(2) }),
      ];
      await damage(keys.dispatch(poison.dispatchId));
      const { requestIds, ended } = await store.dispatches.expireDue();
      assert.deepEqual(requestIds.toSorted(), [poison.id, other.id].toSorted());
      assert.deepEqual(ended.toSorted(), [poison.dispatchId, other.dispatchId].toSorted());
      assert.deepEqual([await statusOf(poison.id), await statusOf(other.id)], ['expired', 'expired']);
      assert.equal(await store.dispatches.countWaiting(), 0);
    });

    it(`keeps no request from being cancelled (it ${fault})`, async () => {
      const [poison, other] = [
        await accept({ source: 'soar' }),
        await accept({ source: 'soar', machineId: machine(2) }),
      ];
      await damage(keys.dispatch(poison.dispatchId));
      const { redis: connection, tickets } = store;
      const audit = createAuditLog(connection, keySpace, retentionMs);
      const cancelling = createBulkCancel({ redis: connection, keySpace, tickets, audit, retentionMs });
      const done = await cancelling.cancel({ source: 'soar' }, { name: 'anna' }, { budgetMs: 5_000 });
      assert.equal(done.cancelled, 2);
      assert.deepEqual([await statusOf(poison.id), await statusOf(other.id)], ['cancelled', 'cancelled']);
    });
  }

  it('takes nothing from the dispatch that was opened in its place when it ends', async () => {
    const corrupt = await accept();
    await store.redis.hdel(keys.dispatch(corrupt.dispatchId), 'first');
    const own = await accept();
    assert.notEqual(own.dispatchId, corrupt.dispatchId);
    assert.deepEqual(await store.dispatches.endWaiting(corrupt.dispatchId, unknown), { moved: true });
    const joined = await store.intake.acceptOne(item(), arrivedAtMs);
    assert.equal(joined.coalescedWith, own.id);
  });

  it('can be ended where only the indexes know of it, and leaves them', async () => {
    const [sent, looked, waiting] = [
      await accept(),
      await accept({ machineId: machine(2) }),
      await accept({ machineId: machine(3) }),
    ];
    for (const { dispatchId } of [sent, looked]) await store.dispatches.begin(dispatchId, '');
    const doubt = { cause: 'lost', error: { code: 'call_timeout', message: 'no answer' } } as const;
    await store.dispatches.reconcile(looked.dispatchId, '', doubt, 0);
    for (const { dispatchId } of [sent, looked, waiting]) {
      await store.redis.del(keys.dispatch(dispatchId));
      if (dispatchId === waiting.dispatchId) await store.dispatches.begin(dispatchId, '');
      assert.deepEqual(await store.dispatches.settle(dispatchId, '', unknown), { moved: true });
    }
    for (const key of [keys.waiting, keys.sending, keys.reconciling]) {
      assert.equal(await store.redis.zcard(key), 0, key);
    }
    assert.deepEqual(await store.dispatches.settle('never-was', '', unknown), {
      moved: false,
      state: 'missing',
      callId: undefined,
    });
  });
});
