import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { freeSlots } from '@diq/quota/forecast.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { countByLabel } from '../test-support/count-by-label.ts';
import type { TestWorker } from '../test-support/open-test-worker.ts';
import { useBench } from '../test-support/use-bench.ts';
import { useSimulator } from '../test-support/use-simulator.ts';

const limit = 5;
const hourMs = 3_600_000;
const shortMs = 2_000;
const causes = (worker: TestWorker) => countByLabel(worker.metrics.throttled);

describe("the cause of a 429 by Defender's own rules", function () {
  this.timeout(20_000);
  const suite = useBench(useEmbeddedRedis());
  const serveOneMore = async (worker: TestWorker) => {
    await suite.bench.accept();
    await worker.serveNext();
  };

  describe('in a window that does not pass', () => {
    const simulator = useSimulator({ SIMULATOR_LIMIT: String(limit), SIMULATOR_WINDOW: `${hourMs}ms` });
    beforeEach('nothing is used', () => simulator.resetQuota());

    it('is external for a single call after others used the quota up', async () => {
      const worker = await suite.openWorker({ ...simulator.workerOptions, limit, windowMs: hourMs });
      await simulator.fillQuota();
      await serveOneMore(worker);
      assert.deepEqual(await causes(worker), { external: 1 });
    });

    it('is own, and never external, for each call beyond the quota where our limit is set too high', async () => {
      const worker = await suite.openWorker({ ...simulator.workerOptions, limit: 9, windowMs: hourMs });
      for (let n = 0; n < 9; n += 1) {
        await suite.bench.endHolds();
        await serveOneMore(worker);
      }
      assert.deepEqual(await causes(worker), { own: 4 });
    });
  });

  for (const countRefused of [false, true]) {
    describe(`with calls scattered over a short one, refused ones ${countRefused ? '' : 'not '}counted`, () => {
      const simulator = useSimulator({
        SIMULATOR_LIMIT: String(limit),
        SIMULATOR_WINDOW: `${shortMs}ms`,
        SIMULATOR_COUNT_REFUSED: String(countRefused),
      });

      it('is external for each, also while the limit is lowered and all its slots are in use', async () => {
        const worker = await suite.openWorker({ ...simulator.workerOptions, limit, windowMs: shortMs });
        let calls = 0;
        // Real time is what is tested here: the windows of two processes, by clocks of their own, pass over the calls.
        for (let throttled = 0; throttled < 5; await delay(shortMs / 10)) {
          if (freeSlots(await worker.ledger.snapshot()) === 0) continue;
          // What waits for as long as Defender says would not be scattered; what it lowered the limit to stays.
          await suite.bench.redis.del(`${suite.bench.keySpace}:holds`);
          if (calls >= 2) await simulator.fillQuota();
          await serveOneMore(worker);
          calls += 1;
          const { external = 0, ...others } = await causes(worker);
          assert.deepEqual(others, {});
          throttled = external;
        }
      });
    });
  }
});
