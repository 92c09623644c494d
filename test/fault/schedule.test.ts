import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { allFaults } from './faults/all-faults.ts';
import { createRandom } from './random.ts';
import { scheduleArrivals, scheduleRound } from './schedule.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe('the schedule of a fault run', () => {
  it('is the same for the same seed, so that a run can be repeated', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const [one, other] = [seed, seed].map((same) => scheduleRound(createRandom(same), allFaults));
        assert.deepEqual(one, other);
        const [first, again] = [seed, seed].map((same) => scheduleArrivals(same, { perSecond: 2 }));
        for (let i = 0; i < 20; i += 1) assert.deepEqual(first?.next(), again?.next());
      }),
      { numRuns: 20 },
    );
    assert.notDeepEqual(scheduleRound(createRandom(1), allFaults), scheduleRound(createRandom(2), allFaults));
  });

  it('plays every fault once in a round, and never two at a time that break the same part', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const acts = scheduleRound(createRandom(seed), allFaults);
        const played = acts.flatMap((act) => act.faults.map(({ fault }) => fault.name));
        assert.deepEqual(played.toSorted(), allFaults.map(({ name }) => name).toSorted());
        for (const { faults } of acts) {
          const parts = faults.flatMap(({ fault }) => fault.breaks);
          assert.equal(new Set(parts).size, parts.length, parts.join(', '));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('gives each fault a name of its own', () => {
    assert.equal(new Set(allFaults.map(({ name }) => name)).size, allFaults.length);
  });
});
