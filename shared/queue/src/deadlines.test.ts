import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createDispatchStore, deadlineError } from './dispatch-store.ts';
import { storeKeys } from './store-keys.ts';
import { arrivedAtMs, item, keySpace, machine } from './test-support/test-store.ts';
import { useTestStore } from './test-support/use-test-store.ts';

const keys = storeKeys(keySpace);
const soon = new Date(Date.now() + 3_600_000).toISOString();
/** Over when it is recorded: what is due does not have to be waited for. */
const past = new Date(Date.now() - 60_000).toISOString();

describe('deadlines of requests that wait', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const accept = async (fields: Parameters<typeof item>[0] = {}) =>
    (await store.intake.acceptOne(item(fields), arrivedAtMs)).id;
  const statusOf = async (id: string) => (await store.request(id)).document.status;

  it('end the request, and its dispatch with it, without a call', async () => {
    const id = await accept({ notAfter: past });
    const { dispatchId } = await store.request(id);
    assert.deepEqual(await store.dispatches.expireDue(), { requestIds: [id], ended: [dispatchId] });
    const { status, error, attempts } = (await store.request(id)).document;
    assert.deepEqual([status, error, attempts], ['expired', deadlineError, 0]);
    assert.equal((await store.dispatches.find(dispatchId))?.state, 'settled');
    assert.equal(await store.dispatches.countWaiting(), 0);
    assert.deepEqual(await store.dispatches.begin(dispatchId, 'call-1'), {
      moved: false,
      state: 'settled',
      callId: undefined,
    });
    assert.notEqual((await store.dispatchOf(await accept())).id, dispatchId, 'its machine is free again');
  });

  it('end nobody else who waits for the same call: the next one is the first then', async () => {
    const overdue = await accept({ notAfter: past, comment: 'too late' });
    const [patient, other] = [await accept({ comment: 'no hurry' }), await accept({ notAfter: soon })];
    assert.deepEqual(await store.dispatches.expireDue(), { requestIds: [overdue], ended: [] });
    assert.deepEqual(
      [await statusOf(overdue), await statusOf(patient), await statusOf(other)],
      ['expired', 'queued', 'queued'],
    );
    const dispatch = await store.dispatchOf(patient);
    assert.match(dispatch.comment, /^no hurry/);
    assert.doesNotMatch(dispatch.comment, /too late/);
    const joined = await store.intake.acceptOne(item(), arrivedAtMs);
    assert.equal(joined.coalescedWith, patient);
    await store.dispatches.begin(dispatch.id, 'call-1');
    await store.dispatches.settle(dispatch.id, 'call-1', {
      status: 'started',
      investigationId: '1',
      attempts: 1,
    });
    assert.deepEqual([await statusOf(overdue), await statusOf(patient)], ['expired', 'started']);
  });

  it('end those that joined later, too', async () => {
    const patient = await accept();
    const overdue = await accept({ notAfter: past });
    assert.deepEqual(await store.dispatches.expireDue(), { requestIds: [overdue], ended: [] });
    assert.equal(await statusOf(patient), 'queued');
  });

  it('hold to the moment of the call: who is overdue then is not called for', async () => {
    const overdue = await accept({ notAfter: past });
    const patient = await accept();
    const { id } = await store.dispatchOf(patient);
    assert.deepEqual(await store.dispatches.begin(id, 'call-1'), { moved: true });
    assert.deepEqual([await statusOf(overdue), await statusOf(patient)], ['expired', 'dispatching']);
  });

  it('stop a call that everybody would be too late for', async () => {
    const id = await accept({ notAfter: past });
    const { dispatchId } = await store.request(id);
    const refused = { moved: false, state: 'settled', callId: undefined };
    assert.deepEqual(await store.dispatches.begin(dispatchId, 'call-1'), refused);
    assert.equal(await statusOf(id), 'expired');
  });

  it('mean nothing while the call is under way, and count again when it comes back', async () => {
    const id = await accept({ notAfter: soon });
    const { dispatchId } = await store.request(id);
    await store.dispatches.begin(dispatchId, 'call-1');
    assert.equal(await redis.client.zcard(keys.deadlines), 0);
    assert.deepEqual(await store.dispatches.expireDue(), { requestIds: [], ended: [] });
    await store.dispatches.giveBack(dispatchId, 'call-1');
    assert.deepEqual(await redis.client.zrange(keys.deadlines, 0, '-1'), [id]);
  });

  it('complete a batch with the last of its requests', async () => {
    const items = [item({ notAfter: past }), item({ notAfter: past, machineId: machine(2) })];
    const { batchId } = await store.intake.acceptBatch(items, arrivedAtMs);
    assert.equal((await store.reader.findBatch(batchId))?.isComplete, false);
    await store.dispatches.expireDue();
    const batch = await store.reader.findBatch(batchId);
    assert.deepEqual([batch?.isComplete, batch?.counts.expired], [true, 2]);
  });

  it('are kept in bounded steps', async () => {
    const items = Array.from({ length: 300 }, (_, n) => item({ machineId: machine(n), notAfter: past }));
    await store.intake.acceptBatch(items, arrivedAtMs);
    assert.equal((await store.dispatches.expireDue()).requestIds.length, 250);
    assert.equal((await store.dispatches.expireDue()).requestIds.length, 50);
    assert.equal((await store.dispatches.expireDue()).requestIds.length, 0);
  });

  it('are kept also behind more entries that nobody waits for than one step looks at', async () => {
    const id = await accept({ notAfter: past });
    const stale = Array.from({ length: 251 }, (_, n) => [n, `gone-${n}`]).flat();
    await redis.client.zadd(keys.deadlines, ...stale);
    await store.dispatches.expireDue();
    await store.dispatches.expireDue();
    assert.equal(await statusOf(id), 'expired');
    assert.equal(await redis.client.zcard(keys.deadlines), 0);
  });

  it('put the news of their end where callbacks are taken from, once', async () => {
    const id = await accept({ notAfter: past, callbackUrl: 'https://soar.example/hook' });
    await store.dispatches.expireDue();
    await store.dispatches.expireDue();
    assert.deepEqual(await redis.client.lrange(keys.callbacksDue, 0, '-1'), [id]);
  });

  it('tell who watches which requests moved', async () => {
    const moves: unknown[] = [];
    const watched = createDispatchStore(store.redis, keySpace, 60_000, (move) => moves.push(move));
    const [overdue, patient] = [await accept({ notAfter: past }), await accept()];
    const { id: dispatchId } = await store.dispatchOf(patient);
    await watched.begin(dispatchId, 'call-1');
    assert.deepEqual(moves, [
      {
        requestIds: [overdue],
        from: 'queued',
        status: 'expired',
        errorCode: 'deadline_reached',
        dispatchId,
      },
      { requestIds: [patient], from: 'queued', status: 'dispatching', dispatchId, callId: 'call-1' },
    ]);
  });
});
