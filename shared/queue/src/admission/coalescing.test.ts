import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createRequestIntake, TooManyJoinedError } from './accept-requests.ts';
import type { RequestIntake, RequestIntakeOptions } from './accept-requests.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import { createRequestActions } from '../requests/request-actions.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const hourMs = 3_600_000;
const keys = storeKeys(keySpace);

describe('requests for one machine', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const intakeWith = (options: Partial<RequestIntakeOptions>): RequestIntake =>
    createRequestIntake({ redis: store.redis, keySpace, jobs: store.jobs, retentionMs, ...options });
  const accept = (fields: Parameters<typeof item>[0] = {}, intake = store.intake) =>
    intake.acceptOne(item(fields), { nowMs: arrivedAtMs });
  const placeOf = async (id: string) => (await store.jobs.positions([(await store.taskOf(id)).id]))[0];

  describe('a joiner that is more urgent', () => {
    let waiting: string;
    beforeEach(async () => {
      await accept({ machineId: machine(2), priority: 'high' });
      waiting = (await accept({ priority: 'low' })).id;
      assert.equal(await placeOf(waiting), 2);
    });

    it('takes the task along to where it would stand itself', async () => {
      await accept({ priority: 'critical' });
      assert.equal(await placeOf(waiting), 1);
      const task = await store.taskOf(waiting);
      assert.equal(task.priority, 'critical');
      const asked = item({ machineId: machine(3), priority: 'critical' });
      const fresh = await store.intake.acceptOne(asked, { nowMs: arrivedAtMs, caller: 'another caller' });
      assert.equal((await store.taskOf(fresh.id)).jobPriority, task.jobPriority);
    });

    it('lets the request that was there keep its own priority', async () => {
      await accept({ priority: 'critical' });
      assert.equal((await store.request(waiting)).document.priority, 'low');
    });

    it('is followed by the job at the next join, where the one who recorded it died before', async () => {
      const setJobPriorities = () => Promise.reject(new Error('died'));
      const dying = intakeWith({ jobs: { ...store.jobs, setJobPriorities } });
      await assert.rejects(accept({ priority: 'critical' }, dying), /died/);
      assert.equal(await placeOf(waiting), 2);
      await accept({ priority: 'low' });
      assert.equal(await placeOf(waiting), 1);
      const { id } = await store.taskOf(waiting);
      assert.equal(await redis.client.hexists(keys.task(id), 'promoted'), 0);
    });

    it('is claimed at its place also where the job was lost', async () => {
      await store.jobs.remove((await store.taskOf(waiting)).id);
      await accept({ priority: 'critical' });
      assert.equal(await placeOf(waiting), 1);
    });

    it('takes it along also while it is called, in case it comes back', async () => {
      const { id, jobPriority } = await store.taskOf(waiting);
      await store.tasks.begin(id, 'call-1');
      await accept({ priority: 'critical' });
      await store.tasks.giveBack(id, 'call-1');
      const after = await store.taskOf(waiting);
      assert.equal(after.priority, 'critical');
      assert.ok(after.jobPriority < jobPriority);
      assert.equal(await redis.client.hget(keys.order, 'waiting:critical'), '1');
    });
  });

  it('stay where they are when a less urgent one joins', async () => {
    const { id } = await accept({ priority: 'high' });
    const { jobPriority } = await store.taskOf(id);
    await accept({ priority: 'low' });
    const after = await store.taskOf(id);
    assert.deepEqual([after.jobPriority, after.priority], [jobPriority, 'high']);
  });

  it('start with the source that would be first, though another asked first', async () => {
    for (let n = 10; n < 20; n += 1) await accept({ machineId: machine(n), source: 'bulk' });
    const { id } = await accept({ source: 'bulk' });
    assert.equal(await placeOf(id), 11);
    await accept({ source: 'few' });
    assert.equal(await placeOf(id), 2);
  });

  it('send a comment of as many characters as there may be whole, however much room each takes', async () => {
    const comment = '🚨'.repeat(4_000);
    const { id } = await accept({ comment });
    assert.equal((await store.taskOf(id)).comment, comment);
  });

  it('send all their comments with the one call', async () => {
    const { id } = await accept({ comment: 'beacon seen' });
    for (let i = 0; i < 12; i += 1) await accept({ comment: `note ${i}`, source: 'helpdesk' });
    const { comment } = await store.taskOf(id);
    const lines = comment.split('\n');
    assert.deepEqual(lines.slice(0, 2), ['beacon seen', '--- also asked, source "helpdesk": note 0']);
    assert.deepEqual(lines.slice(-2), ['--- also asked, source "helpdesk": note 8', '--- and 3 more']);
  });

  describe('whose investigation was started just now', () => {
    let first: string;
    let sharing: RequestIntake;
    beforeEach(async () => {
      sharing = intakeWith({ reuseWindowMs: hourMs });
      first = (await accept()).id;
      await callFor(first, '5146');
    });

    it('end with it at once: no task, no job, no slot', async () => {
      const again = await accept({ comment: 'me too' }, sharing);
      assert.deepEqual(again, {
        id: again.id,
        coalescedWith: first,
        result: { kind: 'investigation', id: '5146' },
      });
      const { document } = await store.request(again.id);
      const { status, investigationId, coalescedWith, attempts } = document;
      assert.deepEqual([status, investigationId, coalescedWith, attempts], ['started', '5146', first, 0]);
      assert.deepEqual([await store.jobs.countAll(), await store.tasks.countWaiting()], [0, 0]);
      assert.equal((await store.reader.backlog()).counts.started, 2);
      assert.ok((await redis.client.pttl(keys.request(again.id))) > 0, 'it does not stay for ever');
    });

    it('complete a batch that holds nothing else', async () => {
      const { batchId, accepted } = await sharing.acceptBatch([item(), item()], { nowMs: arrivedAtMs });
      assert.deepEqual(
        accepted.map((one) => one?.result?.id),
        ['5146', '5146'],
      );
      const batch = await store.reader.findBatch(batchId);
      assert.deepEqual([batch?.isComplete, batch?.counts.started, batch?.counts.queued], [true, 2, 0]);
    });

    it('end with the same when they are recorded twice', async () => {
      const ids = { batch: 'b', request: () => 'request-1', task: () => 'task-1' };
      const once = await sharing.acceptOne(item(), { nowMs: arrivedAtMs, ids });
      const before = await store.dump();
      assert.deepEqual(await sharing.acceptOne(item(), { nowMs: arrivedAtMs, ids }), once);
      assert.deepEqual(await store.dump(), before);
    });

    it('get another one by force, which the next ones join', async () => {
      const forced = await accept({ force: true }, sharing);
      assert.equal(forced.coalescedWith, undefined);
      assert.equal((await store.request(forced.id)).document.status, 'queued');
      assert.equal((await accept({ force: true }, sharing)).coalescedWith, forced.id);
      assert.equal((await accept({}, sharing)).coalescedWith, forced.id);
      assert.equal(await store.jobs.countAll(), 1);
    });

    it('get another one when it was started too long ago, and where none is to be shared', async () => {
      const started = JSON.parse((await redis.client.get(keys.machineRecent(machine(1)))) ?? '') as object;
      const old = { ...started, startedAt: String(Date.now() - hourMs - 1) };
      await redis.client.set(keys.machineRecent(machine(1)), JSON.stringify(old));
      assert.equal((await accept({}, sharing)).coalescedWith, undefined);
      await store.tasks.endWaiting((await store.tasks.waitingPage(0, 1))[0]!, {
        status: 'cancelled',
        attempts: 0,
      });
      assert.equal((await accept({}, intakeWith({ reuseWindowMs: 0 }))).coalescedWith, undefined);
    });

    it('say so where it is not provably the one that was asked for', async () => {
      const other = await accept({ machineId: machine(2) });
      await callFor(other.id, '7', { attached: true });
      const { id } = await accept({ machineId: machine(2) }, sharing);
      assert.deepEqual((await store.request(id)).document.result, {
        kind: 'investigation',
        id: '7',
        attached: true,
      });
    });
  });

  it('share no investigation that failed to start', async () => {
    const { id } = await accept();
    const task = await store.taskOf(id);
    await store.tasks.begin(task.id, 'call-1');
    await store.tasks.settle(task.id, 'call-1', { status: 'failed', attempts: 1 });
    const again = await accept({}, intakeWith({ reuseWindowMs: hourMs }));
    assert.equal(again.coalescedWith, undefined);
  });

  describe('that are more than one call can serve', () => {
    it('are refused, and recorded nowhere', async () => {
      const narrow = intakeWith({ maxJoined: 2 });
      for (let i = 0; i < 3; i += 1) await accept({}, narrow);
      const before = await store.dump();
      await assert.rejects(accept({}, narrow), TooManyJoinedError);
      assert.deepEqual(await store.dump(), before);
    });

    it('are refused one by one in a batch, which keeps the refusals', async () => {
      const narrow = intakeWith({ maxJoined: 1 });
      const items = [item(), item(), item(), item({ machineId: machine(2) })];
      const { batchId, accepted, tooManyJoined } = await narrow.acceptBatch(items, { nowMs: arrivedAtMs });
      assert.deepEqual(tooManyJoined, [2]);
      assert.equal(accepted[2], undefined);
      const batch = await store.reader.findBatch(batchId);
      assert.deepEqual([batch?.counts.total, batch?.counts.rejected, batch?.counts.queued], [4, 1, 3]);
      const third = (await store.reader.batchItems(batchId, 0, 9))[2];
      assert.ok(third && 'rejected' in third);
      assert.equal((third.rejected.error as { code: string }).code, 'too_many_joined');
    });
  });

  describe('of one caller that are more than it may join to one call', () => {
    const by = (caller: string, fields: Parameters<typeof item>[0] = {}) =>
      intakeWith({ maxJoinedOfCaller: 2 }).acceptOne(item(fields), { nowMs: arrivedAtMs, caller });

    it('are refused, and keep no other caller from joining', async () => {
      for (let i = 0; i < 3; i += 1) await by('many', { priority: 'low' });
      const before = await store.dump();
      await assert.rejects(by('many', { priority: 'low' }), TooManyJoinedError);
      assert.deepEqual(await store.dump(), before);
      const urgent = await by('other', { priority: 'critical' });
      assert.equal((await store.taskOf(urgent.id)).priority, 'critical');
    });

    it('may join again when one of them was cancelled, be it the first or one that joined', async () => {
      const ids: string[] = [];
      for (let i = 0; i < 3; i += 1) ids.push((await by('many')).id);
      const { taskId } = await store.request(ids[0] ?? '');
      const actions = createRequestActions({
        redis: store.redis,
        keySpace,
        jobs: store.jobs,
        order: defaultOrderRules,
        retentionMs,
        auditKeptMs: hourMs,
      });
      await actions.cancel(ids[2] ?? '', { name: 'many' });
      await by('many');
      await assert.rejects(by('many'), TooManyJoinedError);
      // The second one takes the place of the first, and has joined all the same.
      await actions.cancel(ids[0] ?? '', { name: 'many' });
      await assert.rejects(by('many'), TooManyJoinedError);
      await actions.cancel(ids[1] ?? '', { name: 'many' });
      await by('many');
      assert.equal(await redis.client.hget(keys.task(taskId), 'by:many'), '2');
    });
  });

  it('that are more urgent promote the call all the same where no more can join it, with its job', async () => {
    const narrow = intakeWith({ maxJoined: 1 });
    const first = await accept({ priority: 'low' }, narrow);
    await accept({ priority: 'low' }, narrow);
    await accept({ machineId: machine(2), priority: 'high' });
    assert.equal(await placeOf(first.id), 2);
    await assert.rejects(accept({ priority: 'critical' }, narrow), TooManyJoinedError);
    assert.equal(await placeOf(first.id), 1);
    assert.equal((await store.taskOf(first.id)).priority, 'critical');
    assert.equal((await store.reader.backlog()).counts.queued, 3);
  });

  async function callFor(
    requestId: string,
    investigationId: string,
    attached: { attached?: boolean } = {},
  ): Promise<void> {
    const { id } = await store.taskOf(requestId);
    await store.jobs.remove(id);
    await store.tasks.begin(id, 'call-1');
    await store.tasks.settle(id, 'call-1', {
      status: 'started',
      result: { kind: 'investigation', id: investigationId },
      attempts: 1,
      ...attached,
    });
  }
});
