import { machineKeyOf } from '@diq/contracts/machine-name.ts';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import { createRequestIntake, type EnterOrder } from '@diq/queue/admission/accept-requests.ts';
import { coalescingKeyOf } from '@diq/queue/admission/sharing.ts';
import { createMachineOrder } from '@diq/queue/machine-order/machine-order.ts';
import { createRequestReader } from '@diq/queue/requests/request-reader.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
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
const failed = { status: 'failed', error: { code: 'x', message: 'x' }, attempts: 1 } as const;

describe('turns on a machine', () => {
  const server = useEmbeddedRedis();
  let redis: RedisConnection;
  let restrict: ReturnType<typeof openQueue>;
  let unrestrict: ReturnType<typeof openQueue>;
  let machineId: string;
  let tenantId: string;
  const removed = new Set<string>();

  function openQueue(
    tenantId: string,
    operation: OperationName,
    own: { settleMs?: number; followsResults?: boolean } = {},
  ) {
    const keySpace = keySpaceOf({ tenantId, operation });
    const jobs = createJobQueue(redis, keySpace, () => undefined);
    const profile = profileOf(operation);
    const order = createMachineOrder(redis, tenantId, profile.order ?? assert.fail());
    const enterOrder: EnterOrder = (items) =>
      order.enter(
        items.map((item) => ({
          machineId: machineKeyOf(item),
          operation,
          key: coalescingKeyOf(item, profile),
        })),
      );
    const intake = createRequestIntake({ redis, keySpace, jobs, retentionMs, sharing: profile, enterOrder });
    const item = () => ({ machineId, comment: 'why', priority: 'medium' as const });
    const tasks = createTaskStore(redis, keySpace, retentionMs);
    const reader = createRequestReader(redis, keySpace);
    const keys = storeKeys(keySpace);
    const turns = createMachineTurns({
      redis,
      tenantId,
      operation,
      keySpace,
      jobs,
      settleMs: 0,
      betweenLooksMs: 0,
      ...own,
      isServed: (space) => !removed.has(space),
    });
    return {
      keySpace,
      jobs,
      tasks,
      turns,
      async accept(caller?: string) {
        const { id } = await intake.acceptOne(item(), { nowMs: Date.now(), caller });
        const { taskId } = (await reader.findRequest(id)) ?? assert.fail();
        return { id, taskId };
      },
      async retry(id: string) {
        await intake.acceptRetries([{ ...item(), retryOf: id }], { nowMs: Date.now() });
        const { document } = (await reader.findRequest(id)) ?? assert.fail();
        const { taskId } = (await reader.findRequest(document.retriedBy ?? '')) ?? assert.fail();
        return { taskId };
      },
      enterOnly: () => enterOrder([item()]),
      state: async () => ({ jobs: await jobs.countAll(), blocked: await turns.blocked.count() }),
      isNext: async (taskId: string) => turns.isNext((await tasks.find(taskId)) ?? assert.fail()),
      /** Takes it from the queue as the one that claimed its job. */
      async block(taskId: string) {
        await turns.block(taskId);
        await jobs.remove(taskId);
      },
      async settle(taskId: string, settlement: Parameters<typeof tasks.settle>[2]) {
        await tasks.begin(taskId, 'call');
        await tasks.settle(taskId, 'call', settlement);
      },
      /** Its call has started something, which runs at Defender from now on. */
      async start(taskId: string) {
        await tasks.begin(taskId, 'call');
        const result = { kind: 'machineAction', id: randomUUID() } as const;
        await tasks.settle(taskId, 'call', { status: 'started', result, attempts: 1 });
        await redis.zadd(keys.results, 1, taskId);
      },
      end: (taskId: string) => redis.zrem(keys.results, taskId),
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
    restrict = openQueue(tenantId, 'restrictCodeExecution');
    unrestrict = openQueue(tenantId, 'unrestrictCodeExecution');
  });
  afterEach(() =>
    Promise.all([restrict, unrestrict].flatMap(({ jobs, turns }) => [jobs.close(), turns.close()])),
  );
  after(() => closeRedis(redis));

  it('come in the order of acceptance, the next after the end of what the one before started', async () => {
    const first = await restrict.accept();
    const second = await unrestrict.accept();
    assert.deepEqual(
      [await unrestrict.isNext(second.taskId), await restrict.isNext(first.taskId)],
      [false, true],
    );
    await unrestrict.block(second.taskId);
    for (const step of ['waiting', 'in flight', 'running']) {
      if (step === 'in flight') await restrict.tasks.begin(first.taskId, 'call');
      if (step === 'running') await restrict.start(first.taskId);
      await unrestrict.turns.unblockSome();
      assert.deepEqual(await unrestrict.state(), { jobs: 0, blocked: 1 }, step);
    }
    await restrict.end(first.taskId);
    await unrestrict.turns.unblockSome();
    assert.deepEqual(await unrestrict.state(), { jobs: 1, blocked: 0 });
    assert.equal(await unrestrict.isNext(second.taskId), true);
  });

  it('come to an equal act when the one before has ended, though nothing contrary is between them', async () => {
    const first = await restrict.accept();
    await restrict.start(first.taskId);
    await restrict.jobs.remove(first.taskId);
    const second = await restrict.accept();
    assert.notEqual(second.taskId, first.taskId);
    assert.equal(await restrict.isNext(second.taskId), false);
    await restrict.block(second.taskId);
    await restrict.turns.unblockSome();
    assert.deepEqual(await restrict.state(), { jobs: 0, blocked: 1 });
    assert.equal((await restrict.accept()).taskId, second.taskId, 'further ones share its call');
    await restrict.end(first.taskId);
    await restrict.turns.unblockSome();
    assert.deepEqual(await restrict.state(), { jobs: 1, blocked: 0 });
    assert.equal(await restrict.isNext(second.taskId), true);
  });

  it('pass to the next one when nothing was started: failed, cancelled or never recorded', async () => {
    const endings = [
      (taskId: string) => restrict.settle(taskId, failed),
      (taskId: string) => restrict.tasks.endWaiting(taskId, { ...failed, status: 'cancelled' }),
    ];
    for (const end of endings) {
      machineId = newMachineId();
      const first = await restrict.accept();
      const second = await unrestrict.accept();
      assert.equal(await unrestrict.isNext(second.taskId), false);
      await end(first.taskId);
      await redisTick(redis);
      assert.equal(await unrestrict.isNext(second.taskId), true);
    }
    machineId = newMachineId();
    await restrict.enterOnly();
    const only = await unrestrict.accept();
    await redisTick(redis);
    assert.equal(await unrestrict.isNext(only.taskId), true);
  });

  it('wait for one that was given a place and is still being recorded, and not for one that ended without a result', async () => {
    const patient = openQueue(tenantId, 'unrestrictCodeExecution', { settleMs: 60_000 });
    await restrict.enterOnly();
    const second = await patient.accept();
    assert.equal(await patient.isNext(second.taskId), false, 'it is on its way');
    for (const end of [
      (taskId: string) => restrict.settle(taskId, failed),
      (taskId: string) => restrict.tasks.endWaiting(taskId, { ...failed, status: 'cancelled' }),
    ]) {
      machineId = newMachineId();
      const recorded = await restrict.accept();
      const next = await patient.accept();
      assert.equal(await patient.isNext(next.taskId), false, 'it is open');
      await end(recorded.taskId);
      assert.equal(await patient.isNext(next.taskId), true, 'it was recorded, and is over');
    }
    await patient.jobs.close();
  });

  it('are not shared by what is asked again after its contrary', async () => {
    const [first, joined] = [await restrict.accept(), await restrict.accept()];
    await unrestrict.accept();
    const again = await restrict.accept();
    assert.equal(joined.taskId, first.taskId);
    assert.notEqual(again.taskId, first.taskId);
    assert.equal(await restrict.isNext(again.taskId), false);
  });

  it('come to retries as to all others', async () => {
    const first = await restrict.accept();
    await restrict.settle(first.taskId, failed);
    const second = await unrestrict.accept();
    const again = await restrict.retry(first.id);
    assert.equal(await restrict.isNext(again.taskId), false);
    await redisTick(redis);
    assert.equal(await unrestrict.isNext(second.taskId), true);
    await unrestrict.settle(second.taskId, failed);
    await redisTick(redis);
    assert.equal(await restrict.isNext(again.taskId), true);
  });

  it('pass a task that waits in a queue taken out of the settings, and wait for one that was called', async () => {
    const waiting = await restrict.accept();
    const second = await unrestrict.accept();
    removed.add(restrict.keySpace);
    assert.equal(await unrestrict.isNext(second.taskId), true);
    removed.delete(restrict.keySpace);
    assert.equal(await restrict.isNext(waiting.taskId), false);

    machineId = newMachineId();
    const called = await restrict.accept();
    const next = await unrestrict.accept();
    await restrict.tasks.begin(called.taskId, 'call');
    removed.add(restrict.keySpace);
    assert.equal(await unrestrict.isNext(next.taskId), false);
  });

  it('pass many that are over, one behind the other, in one look', async () => {
    for (let i = 0; i < 25; i += 1) {
      await restrict.enterOnly();
      await unrestrict.enterOnly();
    }
    const { taskId } = await restrict.accept();
    await redisTick(redis);
    assert.equal(await restrict.isNext(taskId), true);
  });

  it('pass to the next one after the answer, where results are not followed', async () => {
    const first = await restrict.accept();
    const second = await unrestrict.accept();
    const unfollowed = openQueue(tenantId, 'unrestrictCodeExecution', { followsResults: false });
    assert.equal(await unfollowed.isNext(second.taskId), false);
    await restrict.start(first.taskId);
    assert.equal(await unrestrict.isNext(second.taskId), false);
    assert.equal(await unfollowed.isNext(second.taskId), true);
    await unfollowed.jobs.close();
  });

  it('leave other machines alone', async () => {
    await restrict.accept();
    machineId = newMachineId();
    assert.equal(await unrestrict.isNext((await unrestrict.accept()).taskId), true);
  });

  it('forget a blocked task that was cancelled meanwhile', async () => {
    const first = await restrict.accept();
    const second = await unrestrict.accept();
    await unrestrict.block(second.taskId);
    await unrestrict.tasks.endWaiting(second.taskId, { ...failed, status: 'cancelled' });
    await unrestrict.turns.unblockSome();
    assert.deepEqual(await unrestrict.state(), { jobs: 0, blocked: 0 });
    await unrestrict.turns.block(second.taskId);
    assert.deepEqual(await unrestrict.state(), { jobs: 0, blocked: 0 });
    assert.equal(await restrict.isNext(first.taskId), true);
  });

  it('are looked at in turns where many tasks are blocked', async () => {
    const some = 130;
    const second = [];
    for (let i = 0; i < some; i += 1) {
      machineId = newMachineId();
      await restrict.accept();
      const { taskId } = await unrestrict.accept();
      await unrestrict.block(taskId);
      second.push(taskId);
    }
    machineId = newMachineId();
    const { taskId } = await unrestrict.accept();
    await unrestrict.block(taskId);
    for (let round = 0; (await unrestrict.state()).jobs === 0; round += 1) {
      assert.ok(round < 3, `${round} rounds`);
      await unrestrict.turns.unblockSome();
    }
    assert.deepEqual(await unrestrict.state(), { jobs: 1, blocked: some });
  });

  it('are looked at for each caller: many of one do not keep one of another from its turn', async () => {
    const some = 230;
    for (let i = 0; i < some; i += 1) {
      machineId = newMachineId();
      await restrict.accept('bulk');
      await unrestrict.block((await unrestrict.accept('bulk')).taskId);
    }
    machineId = newMachineId();
    const first = await restrict.accept('other');
    const { taskId } = await unrestrict.accept('other');
    await unrestrict.block(taskId);
    await redisTick(redis);
    // Looked at once: it stands behind the others now.
    await unrestrict.turns.unblockSome();
    await restrict.settle(first.taskId, failed);
    await redisTick(redis);
    await unrestrict.turns.unblockSome();
    assert.deepEqual(await unrestrict.state(), { jobs: 1, blocked: some });
    assert.deepEqual(await unrestrict.turns.blocked.areBlocked([taskId]), [false]);
    // What was let go of is forgotten for its caller too.
    await redisTick(redis);
    await unrestrict.turns.unblockSome();
    assert.deepEqual(await redis.zrange(storeKeys(unrestrict.keySpace).blockedCallers, 0, '-1'), ['bulk']);
    assert.equal(await redis.exists(storeKeys(unrestrict.keySpace).blockedOf('other')), 0);
  });
});

/** So that what happened before is more than no time ago. */
async function redisTick(redis: RedisConnection): Promise<void> {
  const time = async () =>
    Number((await redis.time())[0]) * 1_000 + Math.floor(Number((await redis.time())[1]) / 1_000);
  const before = await time();
  while ((await time()) <= before + 1);
}
