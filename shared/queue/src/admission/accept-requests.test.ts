import assert from 'node:assert/strict';
import type { Priority } from '@diq/contracts/priority.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createAcceptChunk } from './accept-chunk.ts';
import type { NewRequest } from './accept-chunk.ts';
import { createRequestIntake } from './accept-requests.ts';
import { defaultHeadStartMs, defaultOrderRules } from '../scheduling/order.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { createAuditLog } from '../operations/audit-log.ts';
import { createPurge } from '../operations/purge.ts';
import { freshIds } from './request-ids.ts';
import type { JobQueue } from '../scheduling/job-queue.ts';
import { byMachineAlone } from './sharing.ts';

const rules = {
  order: defaultOrderRules,
  reuseWindowMs: 0,
  sharing: byMachineAlone,
  maxJoined: 5_000,
  maxJoinedOfCaller: 1_000,
  retentionMs,
};
const minuteMs = 60_000;
/** Of a request that finds an empty queue: the scale begins two days before what the longest head start leads to. */
const firstJobPriority = (priority: Priority) =>
  (2 * 24 * 60 * minuteMs + defaultHeadStartMs.critical - defaultHeadStartMs[priority]) / minuteMs;

const noJobs: Partial<JobQueue> = {
  add: () => Promise.reject(new Error('died before adding jobs')),
};

describe('request intake', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const acceptOne = (fields: Parameters<typeof item>[0] = {}, nowMs = arrivedAtMs) =>
    store.intake.acceptOne(item(fields), { nowMs });

  describe('accepting one request', () => {
    it('records request, task and job before it answers', async () => {
      const { id, ...rest } = await acceptOne({ priority: 'high', source: 'soar' });
      assert.deepEqual(rest, { position: 1 });
      const { document, taskId } = await store.request(id);
      assert.deepEqual(document, {
        id,
        ...item({ priority: 'high', source: 'soar' }),
        createdAt: '2026-01-24T12:00:00.000Z',
        status: 'queued',
        attempts: 0,
      });
      assert.deepEqual(await store.tasks.find(taskId), {
        id: taskId,
        state: 'waiting',
        machineId: machine(1),
        comment: 'beacon seen',
        parameters: {},
        createdAtMs: arrivedAtMs,
        jobPriority: firstJobPriority('high'),
        priority: 'high',
        notAfterMs: undefined,
        callId: undefined,
        sentAtMs: undefined,
        unresolvedSinceMs: undefined,
        calls: 0,
        unresolved: undefined,
      });
      assert.deepEqual(await store.jobs.positions([taskId]), [1]);
      assert.equal((await store.reader.backlog()).counts.queued, 1);
    });

    it('keeps what waits without a time limit', async () => {
      const { id } = await acceptOne();
      const { taskId } = await store.request(id);
      const names = await redis.client.keys(`*${taskId}*`);
      for (const name of [...names, ...(await redis.client.keys(`*${id}*`))]) {
        assert.equal(await redis.client.pttl(name), -1, name);
      }
    });

    for (const caller of ['soar', `entra:${'a'.repeat(36)}/${'b'.repeat(36)}`]) {
      it(`keeps with each request and batch who asked, '${caller}'`, async () => {
        const { id } = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs, caller });
        const { batchId, accepted } = await store.intake.acceptBatch([item()], {
          nowMs: arrivedAtMs,
          caller,
        });
        assert.equal((await store.request(id)).caller, caller);
        assert.equal((await store.reader.findPlaced(accepted[0]!.id))?.caller, caller);
        assert.equal((await store.reader.findBatch(batchId))?.caller, caller);
        // Redis keeps a hash of short fields in a third of the space.
        assert.equal(await redis.client.object('ENCODING', storeKeys(keySpace).request(id)), 'listpack');
      });
    }

    it('keeps no caller where none is known', async () => {
      const { id } = await acceptOne();
      assert.equal('caller' in (await store.request(id)), false);
    });

    it('makes a task of its own for another machine', async () => {
      const [one, other] = [await acceptOne(), await acceptOne({ machineId: machine(2) })];
      assert.notEqual((await store.taskOf(one.id)).id, (await store.taskOf(other.id)).id);
      assert.equal(other.coalescedWith, undefined);
      assert.equal(await store.jobs.countReady(), 2);
    });
  });

  describe('coalescing', () => {
    it('joins the task that waits for the same machine: two requests, one job', async () => {
      const first = await acceptOne();
      const second = await acceptOne({ comment: 'again', source: 'other' });
      assert.equal(second.coalescedWith, first.id);
      const { document, taskId } = await store.request(second.id);
      assert.equal(taskId, (await store.request(first.id)).taskId);
      assert.equal(document.coalescedWith, first.id);
      assert.equal(document.comment, 'again');
      assert.equal(await store.jobs.countReady(), 1);
      assert.equal((await store.reader.backlog()).counts.queued, 2);
      assert.equal((await store.reader.backlog()).waitingTasks, 1);
    });

    it('names the first request of the task to every later one', async () => {
      const first = await acceptOne();
      await acceptOne();
      assert.equal((await acceptOne()).coalescedWith, first.id);
    });

    it('joins a task whose call is under way, as dispatching', async () => {
      const first = await acceptOne();
      const { id } = await store.taskOf(first.id);
      await store.tasks.begin(id, 'call-1');
      const second = await acceptOne();
      assert.equal(second.coalescedWith, first.id);
      const { document } = await store.request(second.id);
      assert.equal(document.status, 'dispatching');
      assert.equal(document.dispatchedAt, (await store.request(first.id)).document.dispatchedAt);
      assert.deepEqual(pick((await store.reader.backlog()).counts), { queued: 0, dispatching: 2 });
    });

    for (const how of ['settled', 'ended'] as const) {
      it(`makes a new task once the last one is ${how}`, async () => {
        const first = await acceptOne();
        const { id } = await store.taskOf(first.id);
        if (how === 'ended') await store.tasks.endWaiting(id, { status: 'cancelled', attempts: 0 });
        else {
          await store.tasks.begin(id, 'call-1');
          await store.tasks.settle(id, 'call-1', { status: 'started', attempts: 1 });
        }
        const second = await acceptOne();
        assert.equal(second.coalescedWith, undefined);
        const fresh = await store.taskOf(second.id);
        assert.notEqual(fresh.id, id);
        assert.equal(fresh.state, 'waiting');
      });
    }

    it('joins within one batch, and across batches', async () => {
      const items = [item(), item({ machineId: machine(2) }), item()];
      const one = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
      const other = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
      const [first, second, third] = one.accepted;
      assert.equal(first?.coalescedWith, undefined);
      assert.equal(second?.coalescedWith, undefined);
      assert.equal(third?.coalescedWith, first?.id);
      assert.deepEqual(
        other.accepted.map((accepted) => accepted?.coalescedWith),
        [first?.id, second?.id, first?.id],
      );
      assert.equal(await store.jobs.countReady(), 2);
    });
  });

  describe('the deadline of a task', () => {
    const [early, middle, late] = [
      '2026-11-25T00:00:00.000Z',
      '2026-11-26T00:00:00.000Z',
      '2026-11-27T00:00:00.000Z',
    ];
    const cases: [string, (string | undefined)[], string | undefined][] = [
      ['is that of its only request', [middle], middle],
      ['is the latest of its requests', [middle, late, early], late],
      ['stays where an earlier one joins', [late, early], late],
      ['is none once a request without one joins', [early, undefined, late], undefined],
      ['is none where the first request has none', [undefined, early], undefined],
    ];
    for (const [title, deadlines, expected] of cases) {
      it(title, async () => {
        const accepted = [];
        for (const notAfter of deadlines)
          accepted.push(await acceptOne(notAfter === undefined ? {} : { notAfter }));
        const { notAfterMs } = await store.taskOf(accepted[0]!.id);
        assert.equal(notAfterMs, expected === undefined ? undefined : Date.parse(expected));
      });
    }
  });

  describe('accepting a batch', () => {
    const error = { code: 'invalid_item' as const, errors: [] };
    const rejected = { rejected: { index: 1, machineId: 'ws-1', error } };

    it('answers in input order, and undefined for a rejected item', async () => {
      const { batchId, accepted } = await store.intake.acceptBatch(
        [item(), rejected, item({ machineId: machine(2) })],
        { nowMs: arrivedAtMs },
      );
      assert.equal(accepted[1], undefined);
      const [first, , third] = accepted;
      assert.equal((await store.request(first!.id)).document.batchId, batchId);
      assert.equal((await store.request(third!.id)).document.machineId, machine(2));
      const batch = await store.reader.findBatch(batchId);
      assert.deepEqual(
        [batch?.counts.total, batch?.counts.rejected, batch?.counts.queued, batch?.isComplete],
        [3, 1, 2, false],
      );
    });

    it('records more requests than one script takes, each with its own answer', async () => {
      const items = Array.from({ length: 700 }, (_, i) => item({ machineId: machine(i % 600) }));
      const { batchId, accepted } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
      assert.equal(new Set(accepted.map((one) => one?.id)).size, 700);
      assert.equal(await store.jobs.countReady(), 600);
      for (const i of [0, 249, 250, 599]) {
        assert.equal((await store.request(accepted[i]!.id)).document.machineId, machine(i));
      }
      assert.equal(accepted[650]?.coalescedWith, accepted[50]?.id);
      assert.equal((await store.reader.findBatch(batchId))?.counts.queued, 700);
    });

    it('is complete at once when it holds rejected items only', async () => {
      const { batchId } = await store.intake.acceptBatch([rejected], { nowMs: arrivedAtMs });
      assert.equal((await store.reader.findBatch(batchId))?.isComplete, true);
    });
  });

  describe('when a client sends or posts again', () => {
    const chunk: NewRequest[] = [1, 2, 1].map((n, i) => ({
      id: `request-${i}`,
      newTaskId: `task-${i}`,
      machineId: machine(n),
      key: machine(n),
      doc: JSON.stringify({
        ...item({ machineId: machine(n) }),
        at: arrivedAtMs,
      }),
      priority: 'medium',
      flow: 'source:test',
      notAfterMs: arrivedAtMs + 1_000,
      bytes: 1_800,
    }));
    const send = (batchId = '') =>
      createAcceptChunk(store.redis, keySpace, rules).accept({
        requests: chunk,
        batchId,
        nowMs: arrivedAtMs,
      });

    it('answers a chunk that is sent twice the same way, and changes nothing', async () => {
      const first = await send('batch-1');
      const before = await store.dump();
      assert.deepEqual(await send('batch-1'), first);
      assert.deepEqual(await store.dump(), before);
      assert.deepEqual(
        first.map(({ taskId, joined }) => [taskId, joined]),
        [
          ['task-0', undefined],
          ['task-1', undefined],
          ['task-0', 'request-0'],
        ],
      );
    });

    it('answers it the same way even when its tasks moved on meanwhile', async () => {
      const first = await send();
      await store.tasks.begin('task-0', 'call-1');
      await store.tasks.settle('task-0', 'call-1', { status: 'started', attempts: 1 });
      const before = await store.dump();
      assert.deepEqual(await send(), first);
      assert.deepEqual(await store.dump(), before);
    });

    it('answers a repeated batch the same way, and accepts nothing anew that was deleted since', async () => {
      const ids = freshIds('00000000');
      const post = () =>
        store.intake.acceptBatch([item(), item({ machineId: machine(2) })], { nowMs: arrivedAtMs, ids });
      const first = await post();
      const { taskId } = await store.request(first.accepted[0]!.id);
      await store.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
      const actions = { redis: store.redis, keySpace, retentionMs };
      const audit = createAuditLog(store.redis, keySpace, retentionMs);
      const purge = createPurge({ ...actions, audit });
      await purge.purge({ batchId: first.batchId }, { name: 'anna' }, { budgetMs: 5_000 });
      const before = await store.dump();
      assert.deepEqual(await post(), first);
      assert.deepEqual(await store.dump(), before);
    });

    it('refuses in a repeated batch what was refused in it, though there is room by now', async () => {
      const ids = freshIds('00000000');
      const { redis: connection, jobs } = store;
      const intake = createRequestIntake({ redis: connection, keySpace, jobs, retentionMs, maxJoined: 1 });
      const post = () => intake.acceptBatch([item(), item(), item()], { nowMs: arrivedAtMs, ids });
      const first = await post();
      assert.deepEqual(first.tooManyJoined, [2]);
      assert.deepEqual(await post(), first);
      const { taskId } = await store.request(first.accepted[0]!.id);
      await store.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
      assert.deepEqual(await post(), first);
    });

    it('adds the jobs that an intake which died could not add, and no second task', async () => {
      const dying = createRequestIntake({
        redis: store.redis,
        keySpace,
        retentionMs,
        jobs: { ...store.jobs, ...noJobs },
      });
      await assert.rejects(
        dying.acceptBatch([item(), item({ machineId: machine(2) })], { nowMs: arrivedAtMs }),
        /died/,
      );
      assert.equal(await store.jobs.countReady(), 0);
      await store.intake.acceptBatch([item(), item({ machineId: machine(2) })], { nowMs: arrivedAtMs });
      assert.equal(await store.jobs.countReady(), 2);
      assert.equal((await store.reader.backlog()).waitingTasks, 2);
    });

    it('gives an added job the place of its task, not of the request that joins', async () => {
      await send();
      await acceptOne({ machineId: machine(2), priority: 'low' });
      await acceptOne({ machineId: machine(3), priority: 'high' });
      await acceptOne({ machineId: machine(4), priority: 'low' });
      assert.deepEqual((await store.jobs.positions(['task-1']))[0], 2);
    });
  });
});

function pick({ queued, dispatching }: { queued: number; dispatching: number }) {
  return { queued, dispatching };
}
