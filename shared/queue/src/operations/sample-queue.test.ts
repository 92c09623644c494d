import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createQueueSampling } from './sample-queue.ts';
import { arrivedAtMs, item, keySpace, machine } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

describe('a sample of the queue', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  async function accept(from: number, to: number, source?: string): Promise<string[]> {
    const items = Array.from({ length: to - from + 1 }, (_, i) =>
      item({ machineId: machine(from + i), ...(source === undefined ? {} : { source }) }),
    );
    const { accepted } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs + from });
    return accepted.flatMap((one) => one?.id ?? []);
  }

  it('is empty for an empty queue', async () => {
    const sampling = createQueueSampling(store.redis, keySpace);
    assert.deepEqual(await sampling.sample(), { queued: 0, isComplete: true, some: [], oldest: [] });
  });

  it('is every queued request, up to its size, and none that is queued no more', async () => {
    const [first = '', ...others] = await accept(1, 5, 'soar');
    const { id } = await store.taskOf(first);
    await store.tasks.begin(id, 'call-1');
    const { queued, isComplete, some } = await createQueueSampling(store.redis, keySpace, 4).sample();
    assert.deepEqual([queued, isComplete], [4, true]);
    assert.deepEqual(
      some,
      others.map((id) => ({ id, source: 'soar', priority: 'medium', createdAtMs: arrivedAtMs + 1 })),
    );
  });

  it('is the oldest ones and as many at random where there are more', async () => {
    const ids = [...(await accept(1, 10)), ...(await accept(11, 20))];
    const sample = await createQueueSampling(store.redis, keySpace, 5).sample();
    assert.deepEqual([sample.queued, sample.isComplete], [20, false]);
    assert.deepEqual(
      sample.oldest.map(({ id }) => id),
      ids.toSorted().slice(0, 5),
    );
    assert.equal(new Set(sample.some.map(({ id }) => id)).size, 5);
    assert.ok(sample.some.every(({ id }) => ids.includes(id)));
  });
});
