import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { UnresolvedOutcome } from './task-store.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const unresolved: UnresolvedOutcome = {
  cause: 'lost',
  error: { code: 'call_timeout', message: 'No answer.', defenderTarget: 'target-1' },
};
const started = { status: 'started', result: { kind: 'investigation', id: '5146' }, attempts: 0 } as const;
const keys = storeKeys(keySpace);
const minuteMs = 60_000;

describe('task store, a call that is looked up in Defender', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  let requestIds: string[];
  let batchId: string;
  let id: string;

  /** Two requests of a batch on one task, whose call `call-1` has begun. */
  beforeEach(async () => {
    const batch = await store.intake.acceptBatch([item(), item()], { nowMs: arrivedAtMs });
    ({ batchId } = batch);
    requestIds = batch.accepted.map((accepted) => accepted?.id ?? '');
    ({ id } = await store.taskOf(requestIds[0]!));
    await store.tasks.begin(id, 'call-1');
  });

  const reconcile = (callId = 'call-1', inMs = 0) => store.tasks.reconcile(id, callId, unresolved, inMs);
  const documents = async () =>
    (await Promise.all(requestIds.map((requestId) => store.request(requestId)))).map(
      ({ document }) => document,
    );
  const nextLook = async () => Number(await redis.client.zscore(keys.reconciling, id));

  it('keeps its requests dispatching, with the reason and the call counted', async () => {
    const before = await documents();
    assert.deepEqual(await reconcile(), { moved: true });
    assert.deepEqual(
      await documents(),
      before.map((document) => ({ ...document, error: unresolved.error, attempts: 1 })),
    );
    const task = await store.tasks.find(id);
    assert.deepEqual([task?.state, task?.callId, task?.calls], ['reconciling', 'call-1', 1]);
    assert.deepEqual(task?.unresolved, unresolved);
    assert.ok((task?.unresolvedSinceMs ?? 0) >= (task?.sentAtMs ?? Infinity));
    assert.deepEqual(await store.tasks.inFlightSince(Date.now() + minuteMs, 9), []);
    assert.equal((await store.reader.backlog()).counts.dispatching, 2);
    assert.equal((await store.reader.findBatch(batchId))?.counts.dispatching, 2);
  });

  it('is refused to a call that did not begin it, and before and after its turn', async () => {
    const refused = { moved: false, state: 'in_flight', callId: 'call-1' };
    assert.deepEqual(await reconcile('call-2'), refused);
    await store.tasks.settle(id, 'call-1', started);
    assert.deepEqual(await reconcile(), { ...refused, state: 'settled' });
    const other = await newTask();
    const untouched = await store.tasks.reconcile(other, 'call-1', unresolved, 0);
    assert.deepEqual(untouched, { moved: false, state: 'waiting', callId: undefined });
  });

  it('changes nothing when any of its moves is made again', async () => {
    await twice(() => reconcile());
    await twice(() => store.tasks.settle(id, 'call-1', started));
  });

  it('lets further requests of the machine join, with the same error', async () => {
    await reconcile();
    const late = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs });
    const { document, taskId } = await store.request(late.id);
    const [first] = await documents();
    assert.equal(taskId, id);
    assert.deepEqual(
      [document.status, document.error, document.attempts, document.dispatchedAt],
      ['dispatching', unresolved.error, 1, first?.dispatchedAt],
    );
    await store.tasks.settle(id, 'call-1', started);
    assert.equal((await store.request(late.id)).document.investigationId, '5146');
  });

  describe('settled', () => {
    it('tells the requests what was found, and nothing of the doubt', async () => {
      await reconcile();
      assert.deepEqual(await store.tasks.settle(id, 'call-1', { ...started, attached: true }), {
        moved: true,
      });
      for (const document of await documents()) {
        assert.deepEqual(
          [document.status, document.investigationId, document.result, document.error, document.attempts],
          ['started', '5146', { kind: 'investigation', id: '5146', attached: true }, undefined, 1],
        );
      }
      assert.equal(await redis.client.exists(keys.reconciling), 0);
      const { unresolved: left, unresolvedSinceMs } = (await store.tasks.find(id))!;
      assert.deepEqual([left, unresolvedSinceMs], [undefined, undefined]);
      assert.equal((await store.reader.findBatch(batchId))?.isComplete, true);
      assert.ok((await redis.client.pttl(keys.task(id))) > 0, 'its retention has begun');
    });

    it('leaves the investigation id with its machine, for a minute and for no other machine', async () => {
      const { machineId } = (await store.tasks.find(id))!;
      assert.deepEqual(await store.tasks.reportedOf(machineId), []);
      await reconcile();
      await store.tasks.settle(id, 'call-1', started);
      assert.deepEqual(await store.tasks.reportedOf(machineId), ['5146']);
      assert.deepEqual(await store.tasks.reportedOf(machine(99)), []);
      const leftMs = await redis.client.pttl(keys.machineReported(machineId));
      assert.ok(leftMs > 0 && leftMs <= minuteMs, String(leftMs));
    });

    it('is refused to any other call', async () => {
      await reconcile();
      const refused = { moved: false, state: 'reconciling', callId: 'call-1' };
      assert.deepEqual(await store.tasks.settle(id, 'call-2', started), refused);
      assert.deepEqual(await store.tasks.giveBack(id, 'call-2'), refused);
      assert.deepEqual(await store.tasks.endWaiting(id, { status: 'expired', attempts: 0 }), refused);
      assert.deepEqual(await store.tasks.begin(id, 'call-2'), refused);
    });

    it('says nothing of attachment where the investigation is its own', async () => {
      await reconcile();
      await store.tasks.settle(id, 'call-1', started);
      for (const { result } of await documents()) {
        assert.deepEqual(result, { kind: 'investigation', id: '5146' });
      }
    });
  });

  describe('to be called again', () => {
    it('waits at its old place, with nothing left of the doubt but the count of its calls', async () => {
      const other = await newTask();
      await reconcile();
      const late = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs });
      assert.deepEqual(await store.tasks.giveBack(id, 'call-1'), { moved: true });
      for (const { status, error, dispatchedAt, attempts } of [
        ...(await documents()),
        (await store.request(late.id)).document,
      ]) {
        assert.deepEqual([status, error, dispatchedAt, attempts], ['queued', undefined, undefined, 1]);
      }
      const task = await store.tasks.find(id);
      assert.deepEqual(
        [task?.state, task?.callId, task?.unresolved, task?.calls],
        ['waiting', undefined, undefined, 1],
      );
      assert.deepEqual(await store.tasks.waitingPage(0, 9), [id, other]);
      assert.deepEqual(await store.tasks.takeDue(minuteMs).then(({ id: due }) => due), undefined);
    });

    it('counts every call that was made for it, in whatever state the next one ends', async () => {
      await reconcile();
      await store.tasks.giveBack(id, 'call-1');
      await store.tasks.begin(id, 'call-2');
      await store.tasks.giveBack(id, 'call-2');
      await store.tasks.begin(id, 'call-3');
      await store.tasks.settle(id, 'call-3', { ...started, attempts: 1 });
      assert.deepEqual(
        (await documents()).map(({ attempts }) => attempts),
        [2, 2],
        'the one given back at once did not count',
      );
    });
  });

  describe('the next look', () => {
    it('is due after the time that was said, on the clock of Redis', async () => {
      const { nowMs } = await store.tasks.takeDue(minuteMs);
      await reconcile('call-1', 5_000);
      const inMs = (await nextLook()) - nowMs;
      assert.ok(inMs >= 5_000 && inMs < 7_000, `${inMs} ms`);
      assert.equal((await store.tasks.takeDue(minuteMs)).id, undefined);
    });

    it('is taken by one worker alone, and comes back when that one does nothing', async () => {
      await reconcile();
      const takers = await Promise.all(Array.from({ length: 5 }, () => store.tasks.takeDue(100)));
      assert.deepEqual(
        takers.map((taken) => taken.id).filter((taken) => taken !== undefined),
        [id],
      );
      const [{ nowMs }] = takers as [(typeof takers)[0]];
      const again = await waitFor(
        async () => {
          const taken = await store.tasks.takeDue(minuteMs);
          return taken.id === undefined ? undefined : taken;
        },
        { what: 'the task to come back', intervalMs: 10 },
      );
      assert.equal(again.id, id);
      assert.ok(again.nowMs >= nowMs + 100);
    });

    it('is the one that is due for the longest', async () => {
      await reconcile();
      const other = await newTask();
      await store.tasks.begin(other, 'call-2');
      await store.tasks.reconcile(other, 'call-2', unresolved, 0);
      await store.tasks.rescheduleQuery(other, 'call-2', 1);
      assert.equal((await store.tasks.takeDue(minuteMs)).id, other);
      assert.equal((await store.tasks.takeDue(minuteMs)).id, id);
    });

    it('can be set only while that call is looked up', async () => {
      assert.equal(await store.tasks.rescheduleQuery(id, 'call-1', 1), false);
      await reconcile();
      assert.equal(await store.tasks.rescheduleQuery(id, 'call-2', 1), false);
      assert.equal(await store.tasks.rescheduleQuery(id, 'call-1', 7_000.2), true);
      assert.equal(await nextLook(), 7_001);
      await store.tasks.settle(id, 'call-1', started);
      assert.equal(await store.tasks.rescheduleQuery(id, 'call-1', 1), false);
      assert.equal(await redis.client.exists(keys.reconciling), 0);
    });

    it('passes over what does not belong in the index', async () => {
      await redis.client.zadd(keys.reconciling, 0, 'nowhere', 1, id);
      assert.equal((await store.tasks.takeDue(minuteMs)).id, undefined);
      assert.equal(await redis.client.exists(keys.reconciling), 0);
    });
  });

  /** Another one that waits. */
  async function newTask(): Promise<string> {
    const { id: requestId } = await store.intake.acceptOne(item({ machineId: machine(2) }), {
      nowMs: arrivedAtMs + 1,
    });
    return (await store.taskOf(requestId)).id;
  }

  async function twice(move: () => Promise<unknown>): Promise<void> {
    assert.deepEqual(await move(), { moved: true });
    const before = await store.dump();
    assert.deepEqual(await move(), { moved: true });
    assert.deepEqual(await store.dump(), before);
  }
});
