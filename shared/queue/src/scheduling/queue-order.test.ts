import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createRequestIntake } from '../admission/accept-requests.ts';
import { createRequestActions } from '../requests/request-actions.ts';
import { arrivedAtMs, item, keySpace, machine } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { createFlowCharging } from './charge-flows.ts';
import { defaultOrderRules } from './order.ts';
import { createQueueOrder } from './queue-order.ts';

const hourMs = 3_600_000;
const anna = { name: 'anna', reason: 'the board is asking' };

describe('the order of what waits', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const order = () => createQueueOrder(store.redis, keySpace);
  const actions = () =>
    createRequestActions({
      redis: store.redis,
      keySpace,
      jobs: store.jobs,
      order: defaultOrderRules,
      retentionMs: hourMs,
      auditKeptMs: hourMs,
    });
  const accept = async (
    n: number,
    fields: Parameters<typeof item>[0] = {},
    caller = 'soar',
    atMs = arrivedAtMs,
  ) => (await store.intake.acceptOne(item({ machineId: machine(n), ...fields }), { nowMs: atMs, caller })).id;

  it('is that in which jobs are claimed, with what decides it', async () => {
    const low = await accept(1, { priority: 'low', source: 'edr' });
    const critical = await accept(
      2,
      { priority: 'critical', notAfter: '2099-01-01T00:00:00.000Z' },
      'portal',
    );
    const high = await accept(3, { priority: 'high', source: 'edr' });
    await accept(3, { priority: 'high', comment: 'the same' }, 'portal');
    const found = await order().next(10);
    assert.deepEqual(
      await store.jobs.nextOnes(10),
      found.map(({ taskId }) => taskId),
    );
    assert.deepEqual(
      found.map(({ machineId, source, caller, place }) => ({ machineId, source, caller, ...place })),
      [
        { id: critical, n: 2, source: undefined, caller: 'portal', priority: 'critical', requests: 1 },
        { id: high, n: 3, source: 'edr', caller: 'soar', priority: 'high', requests: 2 },
        { id: low, n: 1, source: 'edr', caller: 'soar', priority: 'low', requests: 1 },
      ].map(({ id, n, ...about }) => ({
        ...about,
        machineId: machine(n),
        first: id,
        virtualStartMs: arrivedAtMs,
        createdAtMs: arrivedAtMs,
        notAfterMs: n === 2 ? Date.parse('2099-01-01T00:00:00.000Z') : undefined,
        flowCaller: undefined,
        deferredToMs: undefined,
        raisedBy: undefined,
        isRaisedOnMachine: false,
        head: undefined,
      })),
    );
    assert.equal((await order().next(1)).length, 1);
  });

  it('says by whom a call was moved to the head, and why, with the request as well', async () => {
    await accept(1);
    const id = await accept(2);
    await actions().moveToHead(id, anna);
    const [first] = await order().next(1);
    const { head } = first?.place ?? {};
    assert.deepEqual([first?.machineId, head?.by, head?.reason], [machine(2), 'anna', anna.reason]);
    assert.ok(head?.atMs !== undefined && Math.abs(head.atMs - Date.now()) < 60_000);
    const placed = await store.reader.findPlaced(id);
    assert.deepEqual([placed?.position, placed?.place?.head], [1, head]);
  });

  it('says for which request a call was moved up: one that joined, or one that was changed', async () => {
    const raisedBy = async (id: string) => (await store.reader.findPlaced(id))?.place?.raisedBy;
    const first = await accept(1, { priority: 'low' });
    assert.equal(await raisedBy(first), undefined);
    const urgent = await accept(1, { priority: 'high' }, 'portal');
    assert.equal(await raisedBy(first), urgent);
    await accept(1, { priority: 'low' });
    assert.equal(await raisedBy(first), urgent, 'one that moves nothing changes nothing');
    await actions().change(first, { priority: 'critical' }, anna);
    assert.equal(await raisedBy(first), first);
    await actions().change(first, { priority: 'low' }, anna);
    assert.equal(await raisedBy(first), undefined, 'it was moved back');
  });

  it('says of one that was put off until when its caller has had its turns', async () => {
    for (const n of [1, 2, 3]) await accept(n, { source: 'a' });
    await accept(4, { source: 'b' });
    const charge = createFlowCharging(store.redis, keySpace, store.jobs);
    // One of each source has the same turn of their caller.
    for (const callId of ['call-1', 'call-2']) {
      await charge();
      const [claimed = ''] = await store.jobs.nextOnes(1);
      await store.tasks.begin(claimed, callId);
      await store.jobs.remove(claimed);
    }
    await charge();
    const deferred = (await order().next(10)).filter(({ place }) => place.deferredToMs !== undefined);
    assert.deepEqual(
      deferred.map(({ machineId }) => machineId),
      [machine(2)],
    );
    assert.ok((deferred[0]?.place.deferredToMs ?? 0) > arrivedAtMs);
  });

  it('leaves out what is gone or cannot be read', async () => {
    const [gone, corrupt, whole] = [await accept(1), await accept(2), await accept(3)];
    await store.redis.del(`${keySpace}:task:${(await store.request(gone)).taskId}`);
    await store.redis.hset(`${keySpace}:task:${(await store.request(corrupt)).taskId}`, 'priority', 'urgent');
    assert.deepEqual(
      (await order().next(10)).map(({ place }) => place.first),
      [whole],
    );
    assert.equal((await store.reader.findPlaced(gone))?.place, undefined);
    assert.equal((await order().sample()).head.length, 1);
  });

  it('is read in short with the classes and sources that its calls have', async () => {
    await accept(1, { source: 'a "quoted" söurce\\', priority: 'critical', comment: 'x'.repeat(400) });
    await accept(2, { priority: 'low' });
    await accept(3, { source: 'edr', correlation: { incident: 'I-1', '"source"': 'not one' } });
    const called = (await order().next(10)).map(({ place, source }) => ({
      priority: place.priority,
      source,
    }));
    assert.equal(new Set(called.map(({ source }) => source)).size, 3);
    assert.deepEqual(await order().sample(), { head: called, rest: [], distance: 1 });
  });

  it('is read in short by as many commands for 3,000 as for 1,000', async () => {
    const commands = async () => {
      await store.redis.config('RESETSTAT');
      const sample = await order().sample();
      const stats = await store.redis.info('commandstats');
      const calls = [...stats.matchAll(/^cmdstat_(zrange|hmget|zcard):calls=(\d+)/gm)];
      return { sample, count: calls.reduce((sum, [, , number]) => sum + Number(number), 0) };
    };
    const { redis: connection, jobs } = store;
    const options = { redis: connection, keySpace, jobs, retentionMs: hourMs };
    const inArrival = createRequestIntake({ ...options, order: { ...defaultOrderRules, intervalMs: 0 } });
    const accepted = async (count: number, from: number) =>
      inArrival.acceptBatch(
        Array.from({ length: count }, (_, n) =>
          item({
            machineId: machine(from + n),
            source: n % 4 === 0 ? 'edr' : 'soar',
            priority: n % 2 === 0 ? 'high' : 'low',
          }),
        ),
        { nowMs: arrivedAtMs },
      );
    await accepted(1_000, 0);
    const few = await commands();
    await accepted(2_000, 1_000);
    const many = await commands();
    assert.equal(many.count, few.count);
    assert.deepEqual([many.sample.head.length, many.sample.rest.length], [100, 100]);
    assert.equal(many.sample.distance, 29);
    const ranks = many.sample.rest.map(({ rank }) => rank);
    assert.deepEqual([ranks[0], ranks.at(-1)], [100, 2_971]);
    // All that are high stand before all that are low.
    for (const { rank, priority } of many.sample.rest)
      assert.equal(priority, rank < 1_500 ? 'high' : 'low', String(rank));
  });
});
