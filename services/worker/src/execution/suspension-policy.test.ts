import assert from 'node:assert/strict';
import { holdReasons } from '@diq/contracts/hold-reasons.ts';
import { holdLengths } from './suspension-policy.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

describe('hold lengths', () => {
  const lengths = holdLengths(hourMs);

  it('has one for every reason but the pause, which lasts until it is lifted, and those that the ledger itself sets and ends', () => {
    const others: readonly string[] = ['paused', 'cold_start', 'failover'];
    assert.deepEqual(
      Object.keys(lengths).toSorted(),
      holdReasons.filter((reason) => !others.includes(reason)).toSorted(),
    );
  });

  it('measures in windows where each probe costs a permit', () => {
    assert.deepEqual(lengths.throttled, { firstMs: minuteMs, longestMs: hourMs });
    assert.deepEqual(lengths['not_allowed'], { firstMs: minuteMs, longestMs: hourMs / 4 });
    assert.deepEqual(lengths.failing, { firstMs: minuteMs, longestMs: hourMs / 4 });
    assert.deepEqual(holdLengths(6_000).throttled, { firstMs: 100, longestMs: 6_000 });
  });

  it('is short where a probe costs nothing, whatever the window', () => {
    for (const windowMs of [6_000, hourMs]) {
      assert.deepEqual(holdLengths(windowMs).unreachable, { firstMs: 1_000, longestMs: minuteMs });
      assert.deepEqual(holdLengths(windowMs)['no_token'], { firstMs: 1_000, longestMs: 5 * minuteMs });
    }
  });
});
