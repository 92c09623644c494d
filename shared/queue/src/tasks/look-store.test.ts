import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { createLookStore, type LookQuery, type LookStore } from './look-store.ts';

const keys = storeKeys(keySpace);
const both = { machine: true, cover: true };

describe('the store of looks ahead', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  let looks: LookStore;
  let taskIds: string[];
  beforeEach(async () => {
    looks = createLookStore(store.redis, keySpace, retentionMs);
    const items = [1, 2, 3, 4].map((n) => item({ machineId: machine(n) }));
    const { accepted } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
    const requests = await Promise.all(accepted.map((one) => store.request(one?.id ?? '')));
    taskIds = requests.map(({ taskId }) => taskId);
  });

  const take = (query: Partial<LookQuery> = {}) =>
    looks.take({ wants: both, slots: 4, reserve: 0, enough: 4, ...query });
  const idsOf = async (query?: Partial<LookQuery>) => (await take(query)).tasks.map(({ id }) => id);

  it('gives the next tasks in their order, each to one look', async () => {
    assert.deepEqual(await idsOf({ slots: 2, enough: 2 }), taskIds.slice(0, 2));
    assert.deepEqual(await idsOf({ slots: 3, enough: 3 }), taskIds.slice(2, 3));
    await store.redis.hset(keys.task(taskIds[0] ?? ''), 'lookUntil', 1);
    assert.deepEqual(await idsOf({ slots: 3, enough: 3 }), taskIds.slice(0, 1), 'its look took too long');
  });

  it('gives none while enough of them were seen, and asks only for what can be read', async () => {
    const { lookId, tasks } = await take({ slots: 2, enough: 2, wants: { machine: false, cover: true } });
    assert.deepEqual(
      tasks.map(({ needsMachine, needsCover }) => [needsMachine, needsCover]),
      [
        [false, true],
        [false, true],
      ],
    );
    await looks.record(
      lookId,
      tasks.map(({ id }) => ({ taskId: id, isUncovered: true })),
    );
    const wants = { machine: false, cover: true };
    assert.deepEqual(await idsOf({ wants, enough: 2 }), []);
    assert.deepEqual(await idsOf({ wants, enough: 3 }), taskIds.slice(2));
  });

  it('keeps nothing of a look whose task is another one', async () => {
    const { tasks } = await take({ slots: 1 });
    await looks.record('another', [{ taskId: tasks[0]?.id ?? '', warnings: [], isUncovered: true }]);
    const task = await store.redis.hgetall(keys.task(tasks[0]?.id ?? ''));
    assert.deepEqual([task['seenMachine'], task['seenCover']], [undefined, undefined]);
  });

  it('gives no task that cannot be read, and looks past it', async () => {
    const { first = '' } = await store.redis.hgetall(keys.task(taskIds[0] ?? ''));
    await store.redis.hset(keys.request(first), 'doc', '{');
    await store.redis.hdel(keys.task(taskIds[1] ?? ''), 'first');
    assert.deepEqual(await idsOf(), taskIds.slice(2));
  });

  it('has nothing to give of a queue without jobs', async () => {
    await store.jobs.removeAll(taskIds);
    assert.deepEqual(await idsOf(), []);
  });
});
