import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import { createRequestIntake, type EnterOrder } from '@diq/queue/admission/accept-requests.ts';
import { coalescingKeyOf } from '@diq/queue/admission/sharing.ts';
import { layoutVersion } from '@diq/queue/layout.ts';
import { createMachineOrder } from '@diq/queue/machine-order/machine-order.ts';
import { createPromoteAhead } from '@diq/queue/machine-order/promote-ahead.ts';
import { createRequestReader } from '@diq/queue/requests/request-reader.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { flowOf } from '@diq/queue/scheduling/order.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { createTaskStore } from '@diq/queue/tasks/task-store.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { newMachineId } from '../test-support/open-bench.ts';
import { createMachineTurns } from './machine-turns.ts';

const retentionMs = 3_600_000;
const cancelled = { status: 'cancelled', error: { code: 'x', message: 'x' }, attempts: 0 } as const;
interface Asked {
  machineId?: string;
  caller?: string;
  source?: string;
}

describe('a task ahead of a more urgent one on its machine', () => {
  const server = useEmbeddedRedis();
  let redis: RedisConnection;
  let tenantId: string;
  let machineId: string;
  let restrict: ReturnType<typeof openQueue>;
  let unrestrict: ReturnType<typeof openQueue>;

  function openQueue(operation: OperationName, beforeAdd = () => Promise.resolve()) {
    const keySpace = keySpaceOf({ tenantId, operation });
    const keys = storeKeys(keySpace);
    const jobs = createJobQueue(redis, keySpace, () => undefined);
    const profile = profileOf(operation);
    const order = createMachineOrder(redis, tenantId, profile.order ?? assert.fail());
    const enterOrder: EnterOrder = (items) =>
      order.enter(
        items.map((item) => ({
          machineId: item.machineId ?? assert.fail(),
          operation,
          key: coalescingKeyOf(item, profile),
        })),
      );
    const intake = createRequestIntake({ redis, keySpace, jobs, retentionMs, sharing: profile, enterOrder });
    const tasks = createTaskStore(redis, keySpace, retentionMs);
    const reader = createRequestReader(redis, keySpace);
    const turns = createMachineTurns({
      redis,
      tenantId,
      operation,
      keySpace,
      jobs: { ...jobs, add: async (added) => beforeAdd().then(() => jobs.add(added)) },
      settleMs: 0,
      betweenLooksMs: 0,
      isServed: () => true,
    });
    return {
      keySpace,
      jobs,
      tasks,
      turns,
      async accept(priority: Priority, { machineId: on = machineId, caller = 'soar', source }: Asked = {}) {
        const item = { machineId: on, comment: 'why', priority, ...(source === undefined ? {} : { source }) };
        const { id } = await intake.acceptOne(item, { nowMs: Date.now(), caller });
        const { taskId } = (await reader.findRequest(id)) ?? assert.fail();
        return { id, taskId };
      },
      /** Of a low priority, on other machines. */
      async acceptOthers(count: number, caller = 'soar') {
        for (let i = 0; i < count; i += 1) await this.accept('low', { machineId: newMachineId(), caller });
      },
      /** Takes it from the queue as the one that claimed its job. */
      async block(taskId: string) {
        await turns.block(taskId);
        await jobs.remove(taskId);
      },
      place: async (id: string) => (await reader.findPlaced(id))?.place ?? assert.fail(),
      first: () => jobs.next(),
      state: async () => [
        await redis.hgetall(keys.order),
        await redis.zrange(keys.jobOrder, 0, '-1', 'WITHSCORES'),
        await redis.zrange(keys.nextStarts('critical'), 0, '-1', 'WITHSCORES'),
      ],
      starts: (priority: Priority) => redis.zrange(keys.nextStarts(priority), 0, '-1'),
      close: () => Promise.all([turns.close(), jobs.close()]),
    };
  }

  before(async () => {
    const { logger } = captureLog();
    redis = openFailFastConnection({ address: parseRedisUrl(server.url), name: 'test', logger });
    await waitUntilReady(redis, 5_000);
  });
  beforeEach(() => {
    tenantId = randomUUID();
    machineId = newMachineId();
    restrict = openQueue('restrictCodeExecution');
    unrestrict = openQueue('unrestrictCodeExecution');
  });
  afterEach(() => Promise.all([restrict.close(), unrestrict.close()]));
  after(() => closeRedis(redis));

  it('gets its class, a place of its flow and the request for which it was moved up; a second look changes nothing', async () => {
    await restrict.acceptOthers(3);
    const first = await restrict.accept('low');
    const second = await unrestrict.accept('critical', { caller: 'analyst', source: 'portal' });
    await unrestrict.block(second.taskId);
    assert.notEqual(await restrict.first(), first.taskId);
    await unrestrict.turns.unblockSome();
    assert.equal(await restrict.first(), first.taskId);
    const { priority, raisedBy, isRaisedOnMachine, flowCaller } = await restrict.place(first.id);
    assert.deepEqual(
      [priority, raisedBy, isRaisedOnMachine, flowCaller],
      ['critical', second.id, true, 'analyst'],
    );
    assert.deepEqual(await restrict.starts('critical'), ['analyst'], 'its turn is used up');
    const before = await restrict.state();
    await unrestrict.turns.unblockSome();
    assert.deepEqual(await restrict.state(), before);
    assert.deepEqual(await unrestrict.turns.blocked.areBlocked([second.taskId]), [true]);
  });

  it('gets the class of the most urgent one behind it at once: the turn of a less urgent one is not used up', async () => {
    const first = await restrict.accept('low');
    const medium = await unrestrict.accept('medium', { caller: 'analyst' });
    await restrict.accept('low');
    const critical = await unrestrict.accept('critical', { caller: 'portal' });
    await unrestrict.block(medium.taskId);
    await unrestrict.block(critical.taskId);
    await unrestrict.turns.unblockSome();
    const { priority, raisedBy } = await restrict.place(first.id);
    assert.deepEqual([priority, raisedBy], ['critical', critical.id]);
    assert.deepEqual([await restrict.starts('medium'), await restrict.starts('critical')], [[], ['portal']]);
  });

  it('stays as it is in a queue that another version holds; the other queues are served', async () => {
    const first = await restrict.accept('low');
    const second = await unrestrict.accept('low');
    const third = await restrict.accept('critical');
    await restrict.block(third.taskId);
    const { layout } = storeKeys(unrestrict.keySpace);
    await redis.set(layout, '99');
    const before = await unrestrict.state();
    await restrict.turns.unblockSome();
    assert.equal((await restrict.place(first.id)).priority, 'critical');
    assert.equal((await unrestrict.place(second.id)).priority, 'low');
    assert.deepEqual(await unrestrict.state(), before);
    await redis.set(layout, String(layoutVersion));
    await restrict.turns.unblockSome();
    assert.equal((await unrestrict.place(second.id)).priority, 'critical');
  });

  it('is moved though another queue cannot be asked; that failure is reported', async () => {
    await unrestrict.accept('low');
    const second = await restrict.accept('low');
    const third = await unrestrict.accept('critical');
    await unrestrict.block(third.taskId);
    await redis.set(storeKeys(unrestrict.keySpace).layout, 'torn');
    await assert.rejects(unrestrict.turns.unblockSome(), { name: 'ZodError' });
    assert.equal((await restrict.place(second.id)).priority, 'critical');
  });

  it('gets it along a chain, each from the most urgent behind it', async () => {
    await Promise.all([restrict.acceptOthers(2), unrestrict.acceptOthers(2)]);
    const first = await restrict.accept('low');
    const second = await unrestrict.accept('medium');
    const third = await restrict.accept('critical');
    await restrict.block(third.taskId);
    await restrict.turns.unblockSome();
    assert.equal(await restrict.first(), first.taskId);
    assert.equal(await unrestrict.first(), second.taskId);
    for (const place of [await restrict.place(first.id), await unrestrict.place(second.id)])
      assert.deepEqual([place.priority, place.raisedBy], ['critical', third.id]);
    // What is between is put back with the place that it has by now, though it had no job meanwhile.
    await unrestrict.block(second.taskId);
    await restrict.tasks.endWaiting(first.taskId, cancelled);
    await restrict.jobs.remove(first.taskId);
    await unrestrict.turns.unblockSome();
    assert.equal(await unrestrict.first(), second.taskId);
  });

  it('is moved by the one behind also when that becomes more urgent later, and keeps its place when that is cancelled', async () => {
    await restrict.acceptOthers(2);
    const first = await restrict.accept('low');
    const second = await unrestrict.accept('low');
    await unrestrict.block(second.taskId);
    await unrestrict.turns.unblockSome();
    assert.equal((await restrict.place(first.id)).raisedBy, undefined);
    const joined = await unrestrict.accept('high');
    assert.equal(joined.taskId, second.taskId);
    await unrestrict.block(second.taskId);
    await unrestrict.turns.unblockSome();
    const moved = await restrict.place(first.id);
    assert.deepEqual([moved.priority, moved.raisedBy], ['high', joined.id]);
    await unrestrict.tasks.endWaiting(second.taskId, cancelled);
    await unrestrict.turns.unblockSome();
    assert.deepEqual(await restrict.place(first.id), moved);
    assert.equal(await restrict.first(), first.taskId);
  });

  it('has its place when it gets its job again, also where it was moved up a moment before', async () => {
    await restrict.acceptOthers(2);
    const { taskId } = await restrict.accept('low');
    await restrict.block(taskId);
    const promote = createPromoteAhead(redis, restrict.keySpace, restrict.jobs);
    const patient = openQueue('restrictCodeExecution', async () => {
      const key = (await redis.hget(storeKeys(restrict.keySpace).task(taskId), 'key')) ?? assert.fail();
      const behind = { priority: 'critical', flow: flowOf('', 'soar'), requestId: 'other' } as const;
      assert.deepEqual(await promote([{ key, virtualStartMs: Date.now(), ...behind }]), [taskId]);
    });
    await patient.turns.unblockSome();
    assert.equal(await restrict.first(), taskId);
    await patient.close();
  });

  it('is never moved back: by a less urgent one, or where it runs already', async () => {
    const first = await restrict.accept('high');
    const second = await unrestrict.accept('medium');
    await unrestrict.block(second.taskId);
    const before = await restrict.state();
    await unrestrict.turns.unblockSome();
    assert.deepEqual(await restrict.state(), before);

    machineId = newMachineId();
    const running = await restrict.accept('low');
    await restrict.tasks.begin(running.taskId, 'call');
    const urgent = await unrestrict.accept('critical');
    await unrestrict.block(urgent.taskId);
    await unrestrict.turns.unblockSome();
    assert.equal((await restrict.place(first.id)).priority, 'high');
    assert.equal((await restrict.tasks.find(running.taskId))?.priority, 'low');
  });

  it('is moved by the next look when a worker ended between the task and its job', async () => {
    await restrict.acceptOthers(2);
    const first = await restrict.accept('low');
    const second = await unrestrict.accept('critical');
    await unrestrict.block(second.taskId);
    const key = (await redis.hget(storeKeys(restrict.keySpace).task(first.taskId), 'key')) ?? assert.fail();
    const dying = createPromoteAhead(redis, restrict.keySpace, {
      setJobPriorities: () => Promise.reject(new Error('ended')),
    });
    const behind = { virtualStartMs: Date.now(), requestId: second.id, flow: flowOf('', 'soar') };
    await assert.rejects(dying([{ key, priority: 'critical', ...behind }]), /ended/);
    assert.notEqual(await restrict.first(), first.taskId);
    await unrestrict.turns.unblockSome();
    assert.equal(await restrict.first(), first.taskId);
    assert.equal(await redis.hexists(storeKeys(restrict.keySpace).task(first.taskId), 'promoted'), 0);
  });
});
