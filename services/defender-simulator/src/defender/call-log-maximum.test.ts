import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { rollingMaximum } from './call-log.ts';

describe('the judgement over any rolling window', () => {
  it('sees a burst across the edge of two fixed windows', () => {
    assert.equal(rollingMaximum([0, 990, 995, 1000, 1005, 2500], 1000), 4);
  });

  it('does not put calls exactly one window apart together', () => {
    assert.equal(rollingMaximum([0, 1000, 2000], 1000), 1);
    assert.equal(rollingMaximum([0, 999.999], 1000), 2);
  });

  it('is zero without calls', () => {
    assert.equal(rollingMaximum([], 1000), 0);
  });

  it('agrees with counting the window that opens at each call', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5000 })),
        fc.integer({ min: 1, max: 2000 }),
        (times, window) => {
          const sorted = times.toSorted((one, other) => one - other);
          const counts = sorted.map((from) => sorted.filter((at) => at >= from && at < from + window).length);
          assert.equal(rollingMaximum(sorted, window), Math.max(0, ...counts));
        },
      ),
    );
  });
});
