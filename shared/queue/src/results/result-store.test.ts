import assert from 'node:assert/strict';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createRequestIntake } from '../admission/accept-requests.ts';
import { createAuditLog } from '../operations/audit-log.ts';
import { createPurge } from '../operations/purge.ts';
import { createRequestList } from '../requests/list-requests.ts';
import { storeKeys } from '../store-keys.ts';
import { createTaskStore } from '../tasks/task-store.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const keys = storeKeys(keySpace);
const started = { status: 'started', result: { kind: 'investigation', id: '5146' }, attempts: 1 } as const;
const callbackUrl = 'https://soar.example/done';
const succeeded = {
  outcome: 'succeeded',
  state: 'SuccessfullyRemediated',
  startedAtMs: arrivedAtMs,
  endedAtMs: arrivedAtMs + 60_000,
  wasRead: true,
} as const;
const none = { running: 0, succeeded: 0, failed: 0, cancelled: 0, unknown: 0 };

describe('the result of a call', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const resultOf = async (id: string) => (await store.request(id)).document.result;
  const due = () => redis.client.lrange(keys.callbacksDue, 0, '-1');
  const listed = async (outcome: 'running' | 'succeeded' | 'failed' | 'cancelled' | 'unknown') => {
    const { requests } = await createRequestList(store.redis, keySpace).page({ outcome }, 100);
    return requests.map(({ document }) => document.id);
  };
  async function submit(items: readonly InvestigationItem[], withCallback = false) {
    const intake = createRequestIntake({ ...store, keySpace, retentionMs, reuseWindowMs: retentionMs });
    const callback = withCallback ? { callbackUrl } : {};
    const { batchId, accepted } = await intake.acceptBatch(items, { nowMs: arrivedAtMs, ...callback });
    return { batchId, ids: accepted.map((one) => one?.id ?? assert.fail()) };
  }
  async function start(requestId: string, settlement: Parameters<typeof store.tasks.settle>[2] = started) {
    const { taskId } = await store.request(requestId);
    await store.following.begin(taskId, 'call-1');
    assert.deepEqual(await store.following.settle(taskId, 'call-1', settlement), { moved: true });
    return taskId;
  }
  const batch = async (id: string) => (await store.reader.findBatch(id)) ?? assert.fail();

  it('is followed from the start on, with all that its reader needs, and leaves status and attempts as they are', async () => {
    const { ids } = await submit([item()]);
    const taskId = await start(ids[0]!, { ...started, attached: true });
    assert.equal(await store.results.countOpen(), 1);
    const { nowMs, results } = await store.results.due(0, 10);
    const [{ calledAtMs, untilMs, ...open } = assert.fail()] = results;
    assert.deepEqual(open, {
      taskId,
      id: '5146',
      machineId: machine(1),
      startedAtMs: undefined,
      attached: true,
      state: undefined,
      requestId: ids[0],
      outcome: undefined,
    });
    assert.ok(calledAtMs <= nowMs && untilMs > nowMs && untilMs <= nowMs + 40_000);
    const shown = { kind: 'investigation', id: '5146', attached: true, outcome: 'running' };
    assert.deepEqual(await resultOf(ids[0]!), shown);
    await store.results.end(taskId, succeeded);
    const { document } = await store.request(ids[0]!);
    assert.deepEqual([document.status, document.attempts], ['started', 1]);
  });

  it('is not followed where that is off, and then has no outcome', async () => {
    const { ids, batchId } = await submit([item()]);
    const { taskId } = await store.request(ids[0]!);
    await store.tasks.begin(taskId, 'call-1');
    await store.tasks.settle(taskId, 'call-1', started);
    assert.deepEqual(await resultOf(ids[0]!), { kind: 'investigation', id: '5146' });
    assert.equal(await store.results.countOpen(), 0);
    assert.deepEqual((await batch(batchId)).results, none);
    assert.equal((await batch(batchId)).endedAtMs, undefined);
  });

  it('is read again when its note says, and shows what was seen of it to all that share it', async () => {
    const { ids } = await submit([item(), item(), item()]);
    const taskId = await start(ids[0]!);
    const { nowMs } = await store.results.due(0, 10);
    const seen = { state: 'PendingApproval', startedAtMs: arrivedAtMs };
    await store.results.note([{ taskId, nextReadAtMs: nowMs + 30_000, wasRead: true, seen }]);
    assert.deepEqual((await store.results.due(10_000, 10)).results, []);
    const [open] = (await store.results.due(31_000, 10)).results;
    assert.deepEqual([open?.state, open?.startedAtMs], ['PendingApproval', arrivedAtMs]);
    const [first, ...others] = await Promise.all(ids.map(resultOf));
    const { checkedAt = '', ...shown } = first ?? assert.fail();
    assert.deepEqual(shown, {
      kind: 'investigation',
      id: '5146',
      state: 'PendingApproval',
      outcome: 'running',
      startedAt: new Date(arrivedAtMs).toISOString(),
    });
    assert.ok(Date.parse(checkedAt) >= nowMs);
    assert.deepEqual(others, [first, first]);
  });

  it('keeps what was seen of it when Defender could not be read', async () => {
    const { ids } = await submit([item()]);
    const taskId = await start(ids[0]!);
    const seen = { state: 'Running', startedAtMs: undefined };
    await store.results.note([{ taskId, nextReadAtMs: 0, wasRead: true, seen }]);
    const before = await resultOf(ids[0]!);
    await store.results.note([{ taskId, nextReadAtMs: 0, wasRead: false, seen: undefined }]);
    assert.deepEqual(await resultOf(ids[0]!), before);
  });

  describe('when it has ended', () => {
    it('ends once for all that share it: result, index, batch and callbacks in one step', async () => {
      const { ids, batchId } = await submit([item({ callbackUrl }), item(), item({ callbackUrl })], true);
      const taskId = await start(ids[0]!);
      assert.deepEqual((await listed('running')).toSorted(), ids.toSorted());
      assert.deepEqual((await batch(batchId)).results, { ...none, running: 3 });
      assert.deepEqual(await store.results.end(taskId, succeeded), { ended: true, requests: 3 });
      assert.deepEqual(await store.results.end(taskId, { ...succeeded, outcome: 'failed' }), {
        ended: false,
        requests: 0,
      });
      const { results, endedAtMs } = await batch(batchId);
      assert.deepEqual(results, { ...none, succeeded: 3 });
      assert.ok(endedAtMs);
      assert.deepEqual([await listed('running'), (await listed('succeeded')).length], [[], 3]);
      const [first, ...others] = await Promise.all(ids.map(resultOf));
      const { checkedAt: _, ...shown } = first ?? assert.fail();
      assert.deepEqual(shown, {
        kind: 'investigation',
        id: '5146',
        state: 'SuccessfullyRemediated',
        outcome: 'succeeded',
        startedAt: new Date(arrivedAtMs).toISOString(),
        endedAt: new Date(arrivedAtMs + 60_000).toISOString(),
      });
      assert.deepEqual(others, [first, first]);
      assert.equal(await store.results.countOpen(), 0);
      const entries = await due();
      assert.deepEqual(
        entries.slice(0, -2).filter((one) => one.startsWith('batch')),
        [`batch:${batchId}`],
      );
      assert.deepEqual(entries.filter((one) => one.startsWith('ended:')).toSorted(), [
        `ended:${ids[0]}`,
        `ended:${ids[2]}`,
      ]);
      assert.equal(entries.at(-1), `batch-ended:${batchId}`);
    });

    it('stays as it ended, whatever is seen of it later', async () => {
      const { ids } = await submit([item()]);
      const taskId = await start(ids[0]!);
      await store.results.end(taskId, succeeded);
      const before = await store.dump();
      const seen = { state: 'Running', startedAtMs: undefined };
      await store.results.note([{ taskId, nextReadAtMs: 0, wasRead: true, seen }]);
      assert.deepEqual(await store.dump(), before);
    });

    it('shows the outcome also when its task is gone, and says why it is unknown', async () => {
      const { ids } = await submit([item()]);
      const taskId = await start(ids[0]!);
      await store.results.end(taskId, { outcome: 'unknown', why: 'not_shown', wasRead: true });
      await redis.client.del(keys.task(taskId));
      const { outcome, reason } = (await resultOf(ids[0]!)) ?? {};
      assert.equal(outcome, 'unknown');
      assert.equal(reason, 'Defender did not show it for as long as it was followed.');
    });

    it('ends the batch with the last of its results, and not before all of its requests have ended', async () => {
      const { ids, batchId } = await submit(
        [item(), item({ machineId: machine(2) }), item({ machineId: machine(3) })],
        true,
      );
      const [first, second] = [await start(ids[0]!), await start(ids[1]!)];
      await store.results.end(first, succeeded);
      await store.results.end(second, { ...succeeded, outcome: 'failed' });
      assert.equal((await batch(batchId)).endedAtMs, undefined, 'one request waits');
      const { taskId } = await store.request(ids[2]!);
      await store.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
      const { results, endedAtMs, isComplete } = await batch(batchId);
      assert.deepEqual([results, isComplete], [{ ...none, succeeded: 1, failed: 1 }, true]);
      assert.ok(endedAtMs);
      assert.deepEqual(await due(), [`batch:${batchId}`, `batch-ended:${batchId}`]);
    });
  });

  describe('that a later request shares', () => {
    it('ends for that too, however many there are', async () => {
      const { ids } = await submit([item()]);
      const taskId = await start(ids[0]!);
      const later = await submit(
        Array.from({ length: 600 }, () => item({ callbackUrl })),
        true,
      );
      assert.deepEqual((await batch(later.batchId)).results, { ...none, running: 600 });
      assert.equal((await resultOf(later.ids[7]!))?.outcome, 'running');
      assert.deepEqual(await store.results.end(taskId, succeeded), { ended: true, requests: 601 });
      assert.deepEqual((await batch(later.batchId)).results, { ...none, succeeded: 600 });
      assert.deepEqual(await resultOf(later.ids[7]!), await resultOf(ids[0]!));
      assert.equal((await due()).filter((one) => one.startsWith('ended:')).length, 600);
      assert.equal((await due()).filter((one) => one === `batch-ended:${later.batchId}`).length, 1);
      assert.equal(await redis.client.exists(keys.reused(taskId)), 0);
    });

    it('is ended for the rest by the next worker, where one died in between', async () => {
      const { ids } = await submit([item()]);
      const taskId = await start(ids[0]!);
      const later = await submit([item()]);
      await redis.client.hset(keys.task(taskId), 'outcome', 'failed');
      const [left] = (await store.results.due(0, 10)).results;
      assert.equal(left?.outcome, 'failed');
      await store.results.end(taskId, succeeded);
      assert.equal((await resultOf(later.ids[0]!))?.outcome, 'failed', 'what was stored first stands');
      assert.equal(await store.results.countOpen(), 0);
    });

    it('is known at once where it has ended well; what failed or was cancelled is asked for anew', async () => {
      const { ids } = await submit([item({ machineId: machine(1) })]);
      await store.results.end(await start(ids[0]!), succeeded);
      const again = await submit([item({ callbackUrl })], true);
      assert.deepEqual(await resultOf(again.ids[0]!), await resultOf(ids[0]!));
      assert.ok((await batch(again.batchId)).endedAtMs);
      const entries = [`batch-ended:${again.batchId}`, `batch:${again.batchId}`, `ended:${again.ids[0]}`];
      assert.deepEqual(new Set(await due()), new Set([...entries, again.ids[0]]));
      for (const [n, outcome] of [
        [2, 'failed'],
        [3, 'cancelled'],
      ] as const) {
        const other = await submit([item({ machineId: machine(n) })]);
        await store.results.end(await start(other.ids[0]!), { ...succeeded, outcome });
        const anew = await submit([item({ machineId: machine(n) })]);
        assert.equal((await store.request(anew.ids[0]!)).document.status, 'queued', outcome);
      }
    });
  });

  describe('of a request that an operator deletes', () => {
    const purge = async (filter: { batchId: string }) => {
      const audit = createAuditLog(store.redis, keySpace, retentionMs);
      const { purge: run } = createPurge({ redis: store.redis, keySpace, audit, retentionMs });
      return run(filter, { name: 'anna', reason: 'drill' }, { budgetMs: 5_000 });
    };

    it('is followed no more', async () => {
      const { ids, batchId } = await submit([item()]);
      await start(ids[0]!);
      await purge({ batchId });
      assert.equal(await store.results.countOpen(), 0);
      assert.deepEqual(await redis.client.zrange(keys.byOutcome, 0, '-1'), []);
    });

    it('is followed for those that share it', async () => {
      const { ids, batchId } = await submit([item()]);
      const taskId = await start(ids[0]!);
      const later = await submit([item()]);
      await purge({ batchId });
      assert.deepEqual(await store.results.end(taskId, succeeded), { ended: true, requests: 1 });
      assert.equal((await resultOf(later.ids[0]!))?.outcome, 'succeeded');
    });

    it('counts no more in a batch of which others stay', async () => {
      const { ids, batchId } = await submit([item(), item({ machineId: machine(2) })], true);
      await start(ids[0]!);
      await purge({ batchId });
      assert.deepEqual((await batch(batchId)).results, none);
    });
  });

  it('that leads to a task that is gone leaves the index, and keeps no other from being read', async () => {
    const { ids } = await submit([item(), item({ machineId: machine(2) })]);
    const gone = await start(ids[0]!);
    const other = await start(ids[1]!);
    await redis.client.del(keys.task(gone));
    const { results } = await store.results.due(0, 10);
    assert.deepEqual(
      results.map(({ taskId }) => taskId),
      [other],
    );
    assert.equal(await store.results.countOpen(), 1);
  });

  it('is followed no longer than its requests are kept', async () => {
    const { ids } = await submit([item()]);
    const { taskId } = await store.request(ids[0]!);
    const forLong = { forMs: 8 * 24 * 3_600_000, firstReadInMs: 0 };
    const tasks = createTaskStore(store.redis, keySpace, retentionMs, undefined, forLong);
    await tasks.begin(taskId, 'call-1');
    await tasks.settle(taskId, 'call-1', started);
    const { nowMs, results } = await store.results.due(0, 10);
    const keptMs = await redis.client.pttl(keys.task(taskId));
    assert.ok((results[0]?.untilMs ?? Infinity) < nowMs + keptMs);
  });

  it('is found by its outcome beside other filters, page by page', async () => {
    const { ids } = await submit([
      item({ source: 'a' }),
      item({ source: 'b', machineId: machine(2) }),
      item({ source: 'a', machineId: machine(3) }),
    ]);
    for (const id of ids) await store.results.end(await start(id), succeeded);
    const list = createRequestList(store.redis, keySpace);
    const found: string[] = [];
    let position: string | undefined;
    do {
      const page = await list.page({ outcome: 'succeeded' }, 1, position);
      found.push(...page.requests.map(({ document }) => document.id));
      position = page.next;
    } while (position !== undefined);
    assert.deepEqual(found, ids.toReversed());
    const ofA = await list.page({ outcome: 'succeeded', source: 'a' }, 10);
    assert.deepEqual(
      ofA.requests.map(({ document }) => document.id),
      [ids[2], ids[0]],
    );
    const ofMachine = await list.page({ outcome: 'failed', machineId: machine(2) }, 10);
    assert.deepEqual(ofMachine.requests, []);
  });
});
