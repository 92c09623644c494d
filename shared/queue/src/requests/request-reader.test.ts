import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

describe('request reader', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  it('answers undefined for what is not there', async () => {
    assert.equal(await store.reader.findRequest('nowhere'), undefined);
    assert.equal(await store.reader.findBatch('nowhere'), undefined);
    assert.deepEqual(await store.reader.batchItems('nowhere', 0, 10), []);
  });

  describe('a request with its place', () => {
    const find = async (id: string) => (await store.reader.findPlaced(id))?.position;

    it('is given as without it, for as long as it is queued with a place in the order', async () => {
      await store.intake.acceptOne(item({ priority: 'high' }), { nowMs: arrivedAtMs });
      const { id } = await store.intake.acceptOne(item({ machineId: machine(2) }), { nowMs: arrivedAtMs });
      const { place, ...placed } = (await store.reader.findPlaced(id)) ?? assert.fail();
      assert.deepEqual(placed, { ...(await store.request(id)), position: 2 });
      assert.deepEqual([place?.first, place?.priority, place?.virtualStartMs], [id, 'medium', arrivedAtMs]);
      const { id: taskId } = await store.taskOf(id);
      await store.tasks.begin(taskId, 'call-1');
      assert.equal(await find(id), undefined, 'it waits no more');
      assert.equal(await store.reader.findPlaced('nowhere'), undefined);
    });

    it('is next when a worker has claimed its job, and has none while that is missing', async () => {
      const { id } = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs });
      const { jobOrder } = storeKeys(keySpace);
      const { id: taskId } = await store.taskOf(id);
      await store.redis.zrem(jobOrder, taskId);
      assert.equal(await find(id), 1);
      await store.jobs.remove(taskId);
      assert.equal(await find(id), undefined);
    });
  });

  describe('the items of a batch', () => {
    const error = {
      code: 'invalid_item' as const,
      errors: [{ path: 'comment', message: 'must not be empty' }],
      furtherFaults: 2,
    };
    const entries = [
      item({ machineId: machine(1) }),
      { rejected: { index: 1, machineId: 'ws-1', error } },
      item({ machineId: machine(2) }),
      { rejected: { index: 3, error } },
    ];

    it('come in input order, as they are now, the refused ones among them', async () => {
      const { batchId, accepted } = await store.intake.acceptBatch(entries, { nowMs: arrivedAtMs });
      const first = await store.taskOf(accepted[0]!.id);
      await store.tasks.begin(first.id, 'call-1');
      const found = await store.reader.batchItems(batchId, 0, 10);
      assert.deepEqual(found, [
        { index: 0, request: await store.request(accepted[0]!.id) },
        { index: 1, rejected: { machineId: 'ws-1', error } },
        { index: 2, request: await store.request(accepted[2]!.id) },
        { index: 3, rejected: { error } },
      ]);
      assert.equal('request' in found[0]! && found[0].request.document.status, 'dispatching');
    });

    it('come in pages, numbered through, and end', async () => {
      const items = Array.from({ length: 5 }, (_, i) => item({ machineId: machine(i) }));
      const { batchId, accepted } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
      const ids = async (offset: number) =>
        (await store.reader.batchItems(batchId, offset, 2)).map((one) => [
          one.index,
          'request' in one ? one.request.document.id : undefined,
        ]);
      assert.deepEqual(await ids(0), [
        [0, accepted[0]!.id],
        [1, accepted[1]!.id],
      ]);
      assert.deepEqual(await ids(4), [[4, accepted[4]!.id]]);
      assert.deepEqual(await ids(6), []);
    });

    it('say of a request that is gone that it is gone', async () => {
      const { batchId, accepted } = await store.intake.acceptBatch(entries, { nowMs: arrivedAtMs });
      await redis.client.del(storeKeys(keySpace).request(accepted[0]!.id));
      const [first] = await store.reader.batchItems(batchId, 0, 1);
      assert.deepEqual(first, { index: 0, gone: accepted[0]!.id });
    });
  });

  describe('the backlog', () => {
    it('is empty at first, with every status at zero', async () => {
      assert.deepEqual(await store.reader.backlog(), {
        counts: Object.fromEntries(requestStatuses.map((status) => [status, 0])),
        waitingTasks: 0,
        lookingUp: 0,
        openResults: 0,
        aside: { machineBusy: 0, machineOffline: 0 },
        waitingByPriority: { critical: 0, high: 0, medium: 0, low: 0 },
        slotsSaved: { machine_unknown: 0, already_covered: 0 },
        oldestSinceMs: undefined,
      });
    });

    it('counts the calls that wait of each class: requests for one machine share one', async () => {
      await store.intake.acceptBatch(
        [
          item({ priority: 'high' }),
          item({ priority: 'high' }),
          item({ machineId: machine(2), priority: 'low' }),
        ],
        { nowMs: arrivedAtMs },
      );
      const { waitingByPriority } = await store.reader.backlog();
      assert.deepEqual(waitingByPriority, { critical: 0, high: 1, medium: 0, low: 1 });
    });

    it('counts requests whose answer is looked up anew after look-ups that were begun without being counted', async () => {
      const unresolved = { cause: 'lost', error: { code: 'call_timeout', message: 'why' } } as const;
      const accepted = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs });
      const { id } = await store.taskOf(accepted.id);
      await store.tasks.begin(id, 'call-1');
      await store.tasks.reconcile(id, 'call-1', unresolved, 1_000);
      await redis.client.hdel(storeKeys(keySpace).counts, 'reconciling');
      await store.tasks.giveBack(id, 'call-1');
      assert.equal((await store.reader.backlog()).lookingUp, 0);
      await store.tasks.begin(id, 'call-2');
      await store.tasks.reconcile(id, 'call-2', unresolved, 1_000);
      assert.equal((await store.reader.backlog()).lookingUp, 1);
    });

    it('knows since when the longest-waiting task waits, whatever its priority', async () => {
      await store.intake.acceptOne(item({ machineId: machine(2), priority: 'critical' }), {
        nowMs: arrivedAtMs + 5_000,
      });
      const old = await store.intake.acceptOne(item({ priority: 'low' }), { nowMs: arrivedAtMs });
      await store.intake.acceptOne(item(), { nowMs: arrivedAtMs + 9_000 });
      const backlog = await store.reader.backlog();
      assert.deepEqual([backlog.oldestSinceMs, backlog.waitingTasks], [arrivedAtMs, 2]);
      await store.tasks.begin((await store.taskOf(old.id)).id, 'call-1');
      assert.equal((await store.reader.backlog()).oldestSinceMs, arrivedAtMs + 5_000);
    });
  });
});
