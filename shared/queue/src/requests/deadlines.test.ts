import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createTaskStore, deadlineError } from '../tasks/task-store.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const keys = storeKeys(keySpace);
const soon = new Date(Date.now() + 3_600_000).toISOString();
/** Over when it is recorded: what is due does not have to be waited for. */
const past = new Date(Date.now() - 60_000).toISOString();

describe('deadlines of requests that wait', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const accept = async (fields: Parameters<typeof item>[0] = {}) =>
    (await store.intake.acceptOne(item(fields), { nowMs: arrivedAtMs })).id;
  const statusOf = async (id: string) => (await store.request(id)).document.status;

  it('end the request, and its task with it, without a call', async () => {
    const id = await accept({ notAfter: past });
    const { taskId } = await store.request(id);
    assert.deepEqual(await store.tasks.expireDue(), { requestIds: [id], ended: [taskId] });
    const { status, error, attempts } = (await store.request(id)).document;
    assert.deepEqual([status, error, attempts], ['expired', deadlineError, 0]);
    assert.equal((await store.tasks.find(taskId))?.state, 'settled');
    assert.equal(await store.tasks.countWaiting(), 0);
    assert.deepEqual(await store.tasks.begin(taskId, 'call-1'), {
      moved: false,
      state: 'settled',
      callId: undefined,
    });
    assert.notEqual((await store.taskOf(await accept())).id, taskId, 'its machine is free again');
  });

  it('end no other request of the same call: the next one is the first then', async () => {
    const overdue = await accept({ notAfter: past, comment: 'too late' });
    const [patient, other] = [await accept({ comment: 'no hurry' }), await accept({ notAfter: soon })];
    assert.deepEqual(await store.tasks.expireDue(), { requestIds: [overdue], ended: [] });
    assert.deepEqual(
      [await statusOf(overdue), await statusOf(patient), await statusOf(other)],
      ['expired', 'queued', 'queued'],
    );
    const task = await store.taskOf(patient);
    assert.match(task.comment, /^no hurry/);
    assert.doesNotMatch(task.comment, /too late/);
    const joined = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs });
    assert.equal(joined.coalescedWith, patient);
    await store.tasks.begin(task.id, 'call-1');
    await store.tasks.settle(task.id, 'call-1', {
      status: 'started',
      result: { kind: 'investigation', id: '1' },
      attempts: 1,
    });
    assert.deepEqual([await statusOf(overdue), await statusOf(patient)], ['expired', 'started']);
  });

  it('end those that joined later, too', async () => {
    const patient = await accept();
    const overdue = await accept({ notAfter: past });
    assert.deepEqual(await store.tasks.expireDue(), { requestIds: [overdue], ended: [] });
    assert.equal(await statusOf(patient), 'queued');
  });

  it('hold to the moment of the call: who is overdue then is not called for', async () => {
    const overdue = await accept({ notAfter: past });
    const patient = await accept();
    const { id } = await store.taskOf(patient);
    assert.deepEqual(await store.tasks.begin(id, 'call-1'), { moved: true });
    assert.deepEqual([await statusOf(overdue), await statusOf(patient)], ['expired', 'dispatching']);
  });

  it('stop a call that everybody would be too late for', async () => {
    const id = await accept({ notAfter: past });
    const { taskId } = await store.request(id);
    const refused = { moved: false, state: 'settled', callId: undefined };
    assert.deepEqual(await store.tasks.begin(taskId, 'call-1'), refused);
    assert.equal(await statusOf(id), 'expired');
  });

  it('mean nothing while the call is under way, and count again when it comes back', async () => {
    const id = await accept({ notAfter: soon });
    const { taskId } = await store.request(id);
    await store.tasks.begin(taskId, 'call-1');
    assert.equal(await redis.client.zcard(keys.deadlines), 0);
    assert.deepEqual(await store.tasks.expireDue(), { requestIds: [], ended: [] });
    await store.tasks.giveBack(taskId, 'call-1');
    assert.deepEqual(await redis.client.zrange(keys.deadlines, 0, '-1'), [id]);
  });

  it('complete a batch with the last of its requests', async () => {
    const items = [item({ notAfter: past }), item({ notAfter: past, machineId: machine(2) })];
    const { batchId } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
    assert.equal((await store.reader.findBatch(batchId))?.isComplete, false);
    await store.tasks.expireDue();
    const batch = await store.reader.findBatch(batchId);
    assert.deepEqual([batch?.isComplete, batch?.counts.expired], [true, 2]);
  });

  it('are kept in bounded steps', async () => {
    const items = Array.from({ length: 300 }, (_, n) => item({ machineId: machine(n), notAfter: past }));
    await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
    assert.equal((await store.tasks.expireDue()).requestIds.length, 250);
    assert.equal((await store.tasks.expireDue()).requestIds.length, 50);
    assert.equal((await store.tasks.expireDue()).requestIds.length, 0);
  });

  it('are kept also behind more entries of requests that are gone than one step looks at', async () => {
    const id = await accept({ notAfter: past });
    const stale = Array.from({ length: 251 }, (_, n) => [n, `gone-${n}`]).flat();
    await redis.client.zadd(keys.deadlines, ...stale);
    await store.tasks.expireDue();
    await store.tasks.expireDue();
    assert.equal(await statusOf(id), 'expired');
    assert.equal(await redis.client.zcard(keys.deadlines), 0);
  });

  it('put the news of their end where callbacks are taken from, once', async () => {
    const id = await accept({ notAfter: past, callbackUrl: 'https://soar.example/hook' });
    await store.tasks.expireDue();
    await store.tasks.expireDue();
    assert.deepEqual(await redis.client.lrange(keys.callbacksDue, 0, '-1'), [id]);
  });

  it('tell who watches which requests moved', async () => {
    const moves: unknown[] = [];
    const watched = createTaskStore(store.redis, keySpace, 60_000, (move) => moves.push(move));
    const [overdue, patient] = [await accept({ notAfter: past }), await accept()];
    const { id: taskId } = await store.taskOf(patient);
    await watched.begin(taskId, 'call-1');
    assert.deepEqual(moves, [
      {
        requestIds: [overdue],
        from: 'queued',
        status: 'expired',
        errorCode: 'deadline_reached',
        taskId,
      },
      { requestIds: [patient], from: 'queued', status: 'dispatching', taskId, callId: 'call-1' },
    ]);
  });
});
