import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const started = { status: 'started', result: { kind: 'investigation', id: '5146' }, attempts: 1 } as const;
const failed = {
  status: 'failed',
  error: { code: 'machine_not_found', message: 'Defender does not know the machine', defenderTarget: 'abc' },
  attempts: 2,
} as const;
const cancelled = { status: 'cancelled', attempts: 0 } as const;
const keys = storeKeys(keySpace);

describe('task store', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  /** Three requests of a batch that share one task, beside another one that is none of their business. */
  let batchId: string;
  let requestIds: string[];
  let id: string;
  beforeEach(async () => {
    const batch = await store.intake.acceptBatch([item(), item(), item()], { nowMs: arrivedAtMs });
    await store.intake.acceptOne(item({ machineId: machine(2) }), { nowMs: arrivedAtMs + 1_000 });
    batchId = batch.batchId;
    requestIds = batch.accepted.map((accepted) => accepted?.id ?? '');
    ({ id } = await store.taskOf(requestIds[0]!));
  });

  const begin = (callId = 'call-1') => store.tasks.begin(id, callId);
  const giveBack = (callId = 'call-1') => store.tasks.giveBack(id, callId);
  const settle = (callId = 'call-1') => store.tasks.settle(id, callId, started);

  it('knows nothing of a task that is not there', async () => {
    assert.equal(await store.tasks.find('nowhere'), undefined);
    const missing = { moved: false, state: 'missing', callId: undefined };
    assert.deepEqual(await store.tasks.begin('nowhere', 'call-1'), missing);
    assert.deepEqual(await store.tasks.giveBack('nowhere', 'call-1'), missing);
    assert.deepEqual(await store.tasks.settle('nowhere', 'call-1', started), missing);
    assert.deepEqual(await store.tasks.endWaiting('nowhere', cancelled), missing);
  });

  describe('begin', () => {
    it('puts the task in the hands of the call, and every request of it into dispatching', async () => {
      const beforeMs = Date.now();
      assert.deepEqual(await begin(), { moved: true });
      const task = await store.tasks.find(id);
      assert.equal(task?.state, 'in_flight');
      assert.equal(task.callId, 'call-1');
      assert.ok(Math.abs((task.sentAtMs ?? 0) - beforeMs) < 5_000);
      for (const { document } of await requests()) {
        assert.equal(document.status, 'dispatching');
        assert.equal(document.dispatchedAt, new Date(task.sentAtMs ?? 0).toISOString());
      }
    });

    it('is refused to a second call, and says whose it is', async () => {
      await begin();
      assert.deepEqual(await begin('call-2'), { moved: false, state: 'in_flight', callId: 'call-1' });
      assert.equal((await store.tasks.find(id))?.callId, 'call-1');
    });

    it('is refused once the task is settled, also to the call that settled it', async () => {
      await begin();
      await settle();
      assert.deepEqual(await begin(), { moved: false, state: 'settled', callId: 'call-1' });
      assert.deepEqual(await begin('call-2'), { moved: false, state: 'settled', callId: 'call-1' });
    });

    it('is refused to a task that ended without a call', async () => {
      await store.tasks.endWaiting(id, cancelled);
      assert.deepEqual(await begin(), { moved: false, state: 'settled', callId: undefined });
    });
  });

  describe('giveBack', () => {
    it('puts task and requests back as they were', async () => {
      const [before, requestsBefore] = [await store.tasks.find(id), await requests()];
      await begin();
      assert.deepEqual(await giveBack(), { moved: true });
      const { sentAtMs, ...after } = (await store.tasks.find(id))!;
      assert.ok(sentAtMs);
      assert.deepEqual({ ...after, sentAtMs: undefined }, before);
      assert.deepEqual(await requests(), requestsBefore);
      assert.deepEqual(await store.tasks.waitingPage(0, 1), [id], 'at its old place in the order of arrival');
    });

    it('leaves it to any call to begin anew', async () => {
      await begin();
      await giveBack();
      assert.deepEqual(await begin('call-2'), { moved: true });
      assert.deepEqual(await giveBack(), { moved: false, state: 'in_flight', callId: 'call-2' });
    });

    it('takes along a request that joined meanwhile', async () => {
      await begin();
      const late = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs });
      await giveBack();
      const { document } = await store.request(late.id);
      assert.deepEqual([document.status, document.dispatchedAt], ['queued', undefined]);
    });
  });

  describe('settle', () => {
    it('tells every request what came of it', async () => {
      await begin();
      const late = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs });
      assert.deepEqual(await settle(), { moved: true });
      for (const { document } of [...(await requests()), await store.request(late.id)]) {
        assert.deepEqual(
          [document.status, document.investigationId, document.attempts, document.error],
          ['started', '5146', 1, undefined],
        );
        assert.ok(document.dispatchedAt);
      }
    });

    it('tells them why it failed', async () => {
      await begin();
      await store.tasks.settle(id, 'call-1', failed);
      for (const { document } of await requests()) {
        assert.deepEqual([document.status, document.error, document.attempts], ['failed', failed.error, 2]);
      }
    });

    it('is refused to a call that did not begin it, and to one that gave it back', async () => {
      assert.deepEqual(await settle(), { moved: false, state: 'waiting', callId: undefined });
      await begin();
      assert.deepEqual(await settle('call-2'), { moved: false, state: 'in_flight', callId: 'call-1' });
      await giveBack();
      assert.deepEqual(await settle(), { moved: false, state: 'waiting', callId: undefined });
      assert.deepEqual(await statuses(), ['queued', 'queued', 'queued']);
    });

    it('takes the first outcome: another one later changes nothing', async () => {
      await begin();
      await settle();
      const before = await requests();
      assert.deepEqual(await store.tasks.settle(id, 'call-1', failed), { moved: true });
      assert.deepEqual(await requests(), before);
    });
  });

  describe('endWaiting', () => {
    it('ends task and requests without a call', async () => {
      assert.deepEqual(await store.tasks.endWaiting(id, cancelled), { moved: true });
      assert.deepEqual(await statuses(), ['cancelled', 'cancelled', 'cancelled']);
      assert.equal((await store.tasks.find(id))?.state, 'settled');
    });

    it('is refused once a call has begun', async () => {
      await begin();
      const refused = { moved: false, state: 'in_flight', callId: 'call-1' };
      assert.deepEqual(await store.tasks.endWaiting(id, cancelled), refused);
      await settle();
      assert.deepEqual(await store.tasks.endWaiting(id, cancelled), { ...refused, state: 'settled' });
      assert.deepEqual(await statuses(), ['started', 'started', 'started']);
    });
  });

  it('changes nothing when a move is made again', async () => {
    await twice(() => begin());
    await giveBack();
    await twice(() => begin('call-2'));
    await twice(() => settle('call-2'));
    const other = (await store.tasks.waitingPage(0, 1))[0] ?? '';
    await twice(() => store.tasks.endWaiting(other, cancelled));
  });

  describe('indexes', () => {
    it('hold a task where it is, and nowhere once it is settled', async () => {
      const [other] = (await store.tasks.waitingPage(0, 9)).filter((waiting) => waiting !== id);
      const open = async () => [
        await store.tasks.waitingPage(0, 9),
        await store.tasks.inFlightSince(Date.now() + hour, 9),
        await store.tasks.countWaiting(),
      ];
      await begin();
      assert.deepEqual(await open(), [[other], [id], 1]);
      await giveBack();
      assert.deepEqual(await open(), [[id, other], [], 2]);
      await begin();
      await settle();
      assert.deepEqual(await open(), [[other], [], 1]);
    });

    it('find only calls that began before a time, oldest first, a page of them', async () => {
      await begin();
      const [other] = await store.tasks.waitingPage(0, 1);
      const sentAtMs = (await store.tasks.find(id))?.sentAtMs ?? 0;
      assert.deepEqual(await store.tasks.inFlightSince(sentAtMs, 9), []);
      assert.deepEqual(await store.tasks.inFlightSince(sentAtMs + 1, 9), [id]);
      await store.tasks.begin(other!, 'call-2');
      assert.deepEqual(await store.tasks.inFlightSince(Date.now() + hour, 1), [id]);
    });

    it('give the order of many tasks at once, and leave out unknown ones', async () => {
      const found = await store.tasks.jobPrioritiesOf(['nowhere', id]);
      const { jobPriority } = (await store.tasks.find(id))!;
      assert.deepEqual(found, [{ taskId: id, machineId: machine(1), jobPriority }]);
    });
  });

  describe('retention', () => {
    it('begins for task, requests and batch when they are settled, and not before', async () => {
      const names = [
        keys.task(id),
        `${keys.task(id)}:joined`,
        ...requestIds.map((requestId) => keys.request(requestId)),
        keys.batch(batchId),
        keys.batchItems(batchId),
      ];
      const limits = () => Promise.all(names.map((name) => redis.client.pttl(name)));
      await begin();
      assert.deepEqual(new Set(await limits()), new Set([-1]));
      await settle();
      for (const [i, ttl] of (await limits()).entries()) {
        assert.ok(ttl > retentionMs - 5_000 && ttl <= retentionMs, `${names[i]}: ${ttl}`);
      }
    });

    it('leaves neither the machine nor an index behind', async () => {
      await begin();
      await settle();
      const [other] = await store.tasks.waitingPage(0, 1);
      await store.tasks.endWaiting(other!, cancelled);
      const left = (await redis.client.keys(`${keySpace}:*`)).filter(
        (name) => !name.startsWith(`${keySpace}:queue`),
      );
      const unlimited = [];
      for (const name of left) if ((await redis.client.pttl(name)) < 0) unlimited.push(name);
      // Keys of all requests together, bounded in other ways: by statuses, classes, or with every end.
      const ofAll =
        /:(counts|order|starts:medium:?|listed:(started|cancelled)|listed-by:machine|ended|batches(:ended)?)$/;
      assert.deepEqual(
        unlimited.filter((name) => !ofAll.test(name)),
        [],
      );
    });
  });

  const requests = () => Promise.all(requestIds.map((requestId) => store.request(requestId)));

  async function twice(move: () => Promise<unknown>): Promise<void> {
    assert.deepEqual(await move(), { moved: true });
    const before = await store.dump();
    assert.deepEqual(await move(), { moved: true });
    assert.deepEqual(await store.dump(), before);
  }

  async function statuses(): Promise<string[]> {
    return (await requests()).map(({ document }) => document.status);
  }
});

const hour = 3_600_000;
