import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { priorities } from '@diq/contracts/priority.ts';
import { countAhead, createEstimate } from './calls-ahead.ts';

const counted = fc.record({
  priority: fc.constantFrom(...priorities),
  source: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', undefined),
});

describe('what is ahead of a call', () => {
  it('is counted by class and source of all that stand before it', () => {
    const tasks = [
      { priority: 'critical', source: 'edr' },
      { priority: 'high', source: undefined },
      { priority: 'high', source: 'edr' },
      { priority: 'low', source: 'edr' },
    ] as const;
    assert.deepEqual(countAhead(tasks, 4), {
      calls: 3,
      byPriority: { critical: 1, high: 2, medium: 0, low: 0 },
      bySource: [
        { source: 'edr', calls: 2 },
        { source: null, calls: 1 },
      ],
      otherSources: 0,
      isEstimate: false,
    });
    assert.deepEqual(countAhead(tasks, 1).bySource, []);
  });

  it('adds up to the number of calls, by class and by source, however it is reckoned', () => {
    fc.assert(
      fc.property(
        fc.array(counted, { minLength: 1, maxLength: 30 }),
        fc.array(counted, { maxLength: 30 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(2_000),
        (head, rest, distance, ahead) => {
          const sample = {
            head,
            rest: rest.map((one, i) => ({ ...one, rank: head.length + i * distance })),
            distance,
          };
          const found = createEstimate(sample)(ahead + 1);
          const sources = found.bySource.reduce((sum, { calls }) => sum + calls, found.otherSources);
          const classes = Object.values(found.byPriority).reduce((sum, calls) => sum + calls, 0);
          assert.deepEqual([found.calls, classes, sources], [ahead, ahead, ahead]);
          assert.ok(found.bySource.length <= 5);
        },
      ),
    );
  });

  it('is the same by a sample as counted one by one, as far as the sample has all of them', () => {
    fc.assert(
      fc.property(
        fc.array(counted, { maxLength: 30 }),
        fc.array(counted, { maxLength: 30 }),
        fc.nat(60),
        (head, others, ahead) => {
          const rest = others.map((one, i) => ({ ...one, rank: head.length + i }));
          const calls = Math.min(ahead, head.length + rest.length);
          const estimate = createEstimate({ head, rest, distance: 1 });
          assert.deepEqual(estimate(calls + 1), countAhead([...head, ...others], calls + 1));
        },
      ),
    );
  });

  it('is exact among those that a sample has all of, and an estimate behind them', () => {
    const head = Array.from({ length: 10 }, () => ({ priority: 'high' as const, source: 'edr' }));
    const rest = [10, 30, 50].map((rank) => ({ priority: 'low' as const, source: 'soar', rank }));
    const estimate = createEstimate({ head, rest, distance: 20 });
    assert.deepEqual(estimate(11).byPriority, { critical: 0, high: 10, medium: 0, low: 0 });
    assert.equal(estimate(11).isEstimate, false);
    assert.equal(estimate(11, { isOld: true }).isEstimate, true);
    const far = estimate(51);
    assert.deepEqual(far.byPriority, { critical: 0, high: 10, medium: 0, low: 40 });
    assert.equal(far.isEstimate, true);
  });

  it('is known in number alone where a sample knows nothing of it', () => {
    const found = createEstimate({ head: [], rest: [], distance: 1 })(3);
    assert.deepEqual([found.calls, found.bySource, found.isEstimate], [2, [], true]);
  });
});
