import assert from 'node:assert/strict';
import { requireRedisServer } from '@diq/testing/redis-process.ts';
import { startFaultRun } from './fault-run.ts';
import { startFaultWorld } from './fault-world.ts';
import type { FaultWorld } from './fault-world.ts';
import { defenderResets } from './faults/defender-resets.ts';
import { redisEmptied } from './faults/redis-emptied.ts';
import { redisKilled } from './faults/redis-killed.ts';
import { jobHeldTwice } from './faults/job-held-twice.ts';
import { workerClockAhead } from './faults/worker-clock-ahead.ts';
import { workerFrozen } from './faults/worker-frozen.ts';
import { workerKilled } from './faults/worker-killed.ts';
import { judge } from './judge.ts';
import { createRandom } from './random.ts';
import { plan } from './schedule.ts';
import type { Act } from './schedule.ts';

const seed = 7;
const title = 'a fixed selection of faults';

/** The worker stands still through all of the first act, so that every other fault happens behind its back. */
function selection(): Act[] {
  const random = createRandom(seed);
  const first = [
    plan(workerFrozen, 0, random),
    plan(defenderResets, 300, random),
    plan(redisKilled, 2_500, random),
    plan(workerClockAhead, 5_000, random),
    plan(jobHeldTwice, 10_000, random),
  ];
  const second = [plan(workerKilled, 0, random)];
  // No process starts afterwards: the running ones have to recover by themselves.
  const third = [plan(redisEmptied, 0, random)];
  return [
    { faults: first, calmMs: 500 },
    { faults: second, calmMs: 500 },
    { faults: third, calmMs: 500 },
  ];
}

describe(`the whole system under ${title}`, function () {
  this.timeout(150_000);
  let world: FaultWorld | undefined;

  before(async function () {
    requireRedisServer.call(this);
    world = await startFaultWorld({ limit: 4, windowMs: 2_000, callTimeoutMs: 500, workers: 3, intakes: 2 });
  });
  after(() => world?.stop());

  it('breaks no window, starts nothing twice, loses no request and leaves no slot unused', async () => {
    assert.ok(world);
    const acts = selection();
    const names = acts.flatMap(({ faults }) => faults.map(({ fault }) => fault.name));
    const run = startFaultRun(world, { seed, share: 0.6 });
    try {
      const evidence = await run.play(acts);
      const violations = judge(evidence).map(({ rule, text }) => `${rule}: ${text}`);
      const again = `Seed ${seed}. Again: npx mocha test/fault/selection.test.ts --grep "${title}". More of it: npm run test:fault -- --seed ${seed} --only ${names.join(',')}`;
      assert.equal(violations.length, 0, [again, ...violations].join('\n'));
      // With fewer no window could have been broken. How many it is varies: what waits when Redis is emptied is never called.
      assert.ok(evidence.calls.length > evidence.limit, `only ${evidence.calls.length} calls were made`);
      assert.ok((world.tallies.get('jobs given to a second worker') ?? 0) > 0, 'no job was held twice');
    } finally {
      await run.stop();
    }
  });
});
