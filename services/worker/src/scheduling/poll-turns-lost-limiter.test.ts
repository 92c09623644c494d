import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { answerStarted } from '../test-support/defender.ts';
import { useBench } from '../test-support/use-bench.ts';
import { useSimulator } from '../test-support/use-simulator.ts';

const limit = 2;
/** Far longer than a call takes on a busy machine: a late call is no lost window. */
const windowMs = 1_500;

describe('claim loops whose limiter forgets everything', () => {
  const redis = useEmbeddedRedis();
  const suite = useBench(redis);

  it('are kept to the quota by the ledger, and lose no window by it', async () => {
    const arrivedAtMs: number[] = [];
    suite.defender.answer = (call) => {
      arrivedAtMs.push(performance.now());
      answerStarted(call);
    };
    const workers = await Promise.all([0, 1].map(() => suite.openWorker({ limit, windowMs })));
    await Promise.all(workers.map((worker) => worker.startLoop()));
    const count = 8;
    let forgotten = 0;
    for (let i = 0; i < count; i += 1) await suite.bench.accept();
    for (const calls of [1, 2, 4, 5]) {
      await waitFor(() => arrivedAtMs.length >= calls, { what: `call ${calls}`, intervalMs: 2 });
      const keys = await redis.client.keys(`b_${suite.bench.keySpace}*`);
      if (keys.length > 0) forgotten += await redis.client.del(keys);
    }
    assert.ok(forgotten > 2 * 5, 'its keys, more than once');
    await waitFor(() => arrivedAtMs.length === count, { what: 'all calls', intervalMs: 5 });

    const spans = arrivedAtMs.slice(limit).map((atMs, i) => atMs - arrivedAtMs[i]!);
    // What is measured here is when the test's Defender recorded the call, some milliseconds after the call arrived.
    assert.ok(Math.min(...spans) > windowMs - 20, `${limit + 1} calls in ${Math.min(...spans)} ms`);
    assert.ok(Math.max(...spans) < 2 * windowMs, `a window of ${Math.max(...spans)} ms`);
  });
});

describe('a worker whose quota other applications use too', () => {
  const suite = useBench(useEmbeddedRedis());
  const simulator = useSimulator({ SIMULATOR_LIMIT: '5', SIMULATOR_WINDOW: '1h' });

  it('believes Defender: no more calls in a window than fitted, also when the hold it asked for is over', async () => {
    const worker = await suite.openWorker({ ...simulator.workerOptions, limit: 5, windowMs: 3_600_000 });
    await simulator.useQuota(3);
    for (let i = 0; i < 4; i += 1) await suite.bench.accept();
    for (let i = 0; i < 3; i += 1) assert.equal(await worker.serveNext(), 'kept');
    assert.equal((await worker.hold())?.reason, 'throttled');
    await suite.bench.redis.del(`${suite.bench.keySpace}:holds`);
    const { limits, slotsInUse } = await worker.ledger.snapshot();
    assert.deepEqual([limits[0].calls, limits[0].quotaCalls], [2, 5]);
    assert.deepEqual(
      slotsInUse.map(({ call }) => call?.outcome),
      ['started', 'started', 'throttled'],
    );
    assert.equal(await worker.serveNext(), 'released');
  });
});
