import assert from 'node:assert/strict';
import { requireRedisServer } from '@diq/testing/redis-process.ts';
import { booksContradictory } from '../faults/books-contradictory.ts';
import { booksLate } from '../faults/books-late.ts';
import { workerKilled } from '../faults/worker-killed.ts';
import { runResults, type ResultsRunName } from './results-run.ts';

const seed = 7;
/** The long runs: npm run test:fault -- --help */
const runs = [
  { name: 'following', faults: [booksContradictory, workerKilled], machines: 12, betweenMs: 5_000 },
  { name: 'machine-order', faults: [booksLate, workerKilled], machines: 4, betweenMs: 1_500 },
] as const satisfies readonly { name: ResultsRunName; [option: string]: unknown }[];

describe('results under a few faults', function () {
  this.timeout(300_000);
  before(requireRedisServer);

  for (const { name, ...options } of runs)
    it(`${name}: ends are true and reported once, and no contrary action overtakes`, async () => {
      const { violations, evidence, order } = await runResults({ name, seed, forMs: 12_000, ...options });
      const again = `Seed ${seed}. More of it: npm run test:fault -- --only ${name} --seed ${seed}`;
      const texts = violations.map(({ rule, text }) => `${rule}: ${text}`);
      assert.deepEqual(texts, [], [again, ...texts].join('\n'));
      assert.ok(evidence.asked.length > 10, `only ${evidence.asked.length} requests were accepted`);
      if (name === 'machine-order') assert.ok(order.pairs > 5, `only ${order.pairs} pairs were judged`);
    });
});
