import assert from 'node:assert/strict';
import { requireRedisServer } from '@diq/testing/redis-process.ts';
import { booksContradictory } from '../faults/books-contradictory.ts';
import { booksLate } from '../faults/books-late.ts';
import { workerKilled } from '../faults/worker-killed.ts';
import { runResults, type ResultsRun, type ResultsRunOptions } from './results-run.ts';

const seed = 7;

/** A short one; the long ones: npm run test:fault -- --help */
async function run(options: Omit<ResultsRunOptions, 'seed' | 'forMs'>): Promise<ResultsRun> {
  const result = await runResults({ seed, forMs: 12_000, ...options });
  const texts = result.violations.map(({ rule, text }) => `${rule}: ${text}`);
  const again = `Seed ${seed}. More of it: npm run test:fault -- --only ${options.name} --seed ${seed}`;
  assert.deepEqual(texts, [], [again, ...texts].join('\n'));
  return result;
}

describe('while books contradict themselves or are late and workers are killed', function () {
  this.timeout(300_000);
  before(requireRedisServer);

  it('results of all operations reach their true ends, and each callback comes once', async () => {
    const faults = [booksContradictory, workerKilled];
    const { evidence } = await run({ name: 'following', faults, machines: 12, betweenMs: 5_000 });
    assert.ok(evidence.asked.length > 10, `only ${evidence.asked.length} requests were accepted`);
  });

  describe('contrary actions', () => {
    it('are called in their turns, each after the end of the one before', async () => {
      const faults = [booksLate, workerKilled];
      const { order } = await run({ name: 'machine-order', faults, machines: 4, betweenMs: 1_500 });
      assert.ok(order.pairs > 5, `only ${order.pairs} pairs were judged`);
    });
  });
});
