import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { storeKeys } from '../store-keys.ts';
import { item, keySpace, machine } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { createRunningTasks } from './running-tasks.ts';

const keys = storeKeys(keySpace);
const error = { code: 'call_timeout', message: 'why' } as const;

describe('what Defender runs at once', () => {
  const store = useTestStore(useEmbeddedRedis());
  const running = (most = 2) => createRunningTasks(store.redis, keySpace, { calls: most });
  const take = (taskId: string, keptForMs = 60_000) => running().takeRoom(taskId, keptForMs);

  async function taskFor(n: number): Promise<string> {
    const { id } = await store.intake.acceptOne(item({ machineId: machine(n) }), { nowMs: Date.now() });
    return (await store.request(id)).taskId;
  }

  it('is never more than may run, however many ask at the same time', async () => {
    const taken = await Promise.all(Array.from({ length: 20 }, (_, i) => take(`task-${i}`)));
    assert.equal(taken.filter((one) => one === 'taken').length, 2);
  });

  it('counts a task once, from the room that is kept for it until its result has ended', async () => {
    const task = await taskFor(1);
    const other = () => running(1).takeRoom('other', 60_000);
    const kept = await running(1).takeRoom(task, 60_000);
    assert.deepEqual([kept, await other()], ['taken', 'full']);
    await store.tasks.begin(task, 'call-1');
    assert.equal(
      await running().takeRoom('other', 1),
      'taken',
      'it counts once, also while room is kept for it',
    );
    await running().leaveRoom('other');
    await running().leaveRoom(task);
    assert.equal(await other(), 'full', 'in flight');
    await store.tasks.reconcile(task, 'call-1', { cause: 'lost', error }, 1_000);
    assert.equal(await other(), 'full', 'looked up');
    const result = { kind: 'machineAction', id: 'action-1' } as const;
    await store.tasks.settle(task, 'call-1', { status: 'started', result, attempts: 1 });
    await store.redis.zadd(keys.results, 1, task);
    assert.equal(await other(), 'full', 'its result is followed');
    await store.redis.zrem(keys.results, task);
    assert.equal(await other(), 'taken');
  });

  it('is what is called, where the ends of results are not followed', async () => {
    await store.redis.zadd(keys.results, 1, 'followed before');
    const unfollowed = createRunningTasks(store.redis, keySpace, { calls: 1 }, false);
    assert.equal(await running(1).takeRoom('one', 60_000), 'full');
    assert.equal(await unfollowed.takeRoom('one', 60_000), 'taken');
    assert.equal(await unfollowed.takeRoom('two', 60_000), 'full');
  });

  it('keeps room no longer than was said: a process that died holds none for ever', async () => {
    assert.deepEqual([await take('one'), await take('two')], ['taken', 'taken']);
    await store.redis.zadd(keys.starting, 1, 'one');
    assert.deepEqual([await take('three'), await take('four')], ['taken', 'full']);
  });

  it('lets one in again that has room already', async () => {
    assert.deepEqual([await take('one'), await take('two'), await take('one')], ['taken', 'taken', 'taken']);
  });

  it('leaves room for machines that report: others, urgent ones too, have no more than their part', async () => {
    const capped = createRunningTasks(store.redis, keySpace, { calls: 3, offlineCalls: 1 });
    const [first, second, third] = [await taskFor(1), await taskFor(2), await taskFor(3)];
    for (const task of [first, second])
      await store.redis.hset(keys.task(task), { warnings: 'machine_offline', priority: 'critical' });
    const takeCapped = (task: string) => capped.takeRoom(task, 60_000);
    assert.equal(await takeCapped(first), 'taken');
    assert.equal(await takeCapped(first), 'taken', 'it is not counted against itself');
    await store.tasks.begin(first, 'call-1');
    await capped.leaveRoom(first);
    const result = { kind: 'machineAction', id: 'action-1' } as const;
    await store.tasks.settle(first, 'call-1', { status: 'started', result, attempts: 1 });
    await store.redis.zadd(keys.results, 1, first);

    assert.equal(await takeCapped(second), 'offline', 'the result of the first one is open');
    assert.notEqual(await store.redis.zscore(keys.offline, second), null, 'it is put aside');
    assert.deepEqual([await takeCapped(third), await takeCapped('fourth')], ['taken', 'taken']);
    await store.redis.zrem(keys.results, first);
    await store.redis.zrem(keys.starting, 'fourth');
    assert.equal(await takeCapped(second), 'taken');
  });
});
