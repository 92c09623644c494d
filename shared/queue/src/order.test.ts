import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import { headStartMs, orderRank } from './order.ts';

const dayMs = 24 * 3_600_000;
const firstMs = Date.UTC(2025, 1, 1);
const lastMs = Date.UTC(2084, 0, 1);
const anyTime = fc.integer({ min: firstMs, max: lastMs });
const anyPriority = fc.constantFrom<Priority>(...priorities);

describe('orderRank', () => {
  it('is a priority number that BullMQ takes, from 2025 to 2084', () => {
    fc.assert(
      fc.property(anyTime, anyPriority, (time, priority) => {
        const rank = orderRank(time, priority);
        assert.ok(Number.isInteger(rank) && rank >= 1 && rank <= 2_097_151, `${rank}`);
      }),
    );
  });

  it('never puts a later request before an earlier one of its class', () => {
    fc.assert(
      fc.property(anyTime, anyTime, anyPriority, (one, other, priority) => {
        const [earlier, later] = [Math.min(one, other), Math.max(one, other)];
        assert.ok(orderRank(earlier, priority) <= orderRank(later, priority));
      }),
    );
  });

  it('puts the more urgent of two that arrive together first', () => {
    fc.assert(
      fc.property(anyTime, (time) => {
        const ranks = priorities.map((priority) => orderRank(time, priority));
        assert.deepEqual(
          ranks,
          ranks.toSorted((a, b) => a - b),
        );
        assert.equal(new Set(ranks).size, priorities.length);
      }),
    );
  });

  it('gives every class exactly its head start over low', () => {
    fc.assert(
      fc.property(anyTime, anyPriority, (time, priority) => {
        fc.pre(time + headStartMs[priority] <= lastMs);
        assert.equal(orderRank(time + headStartMs[priority], priority), orderRank(time, 'low'));
      }),
    );
  });

  it('starves nobody: what waited longer than the head start goes before a newcomer of any class', () => {
    fc.assert(
      fc.property(anyTime, anyPriority, (time, newcomer) => {
        const later = time + headStartMs[newcomer] + 15 * 60_000;
        fc.pre(later <= lastMs);
        assert.ok(orderRank(time, 'low') < orderRank(later, newcomer));
      }),
    );
  });

  it('head starts are 30 days, 24 hours, 4 hours and none', () => {
    assert.deepEqual(headStartMs, { critical: 30 * dayMs, high: dayMs, medium: dayMs / 6, low: 0 });
  });

  for (const [when, time] of [
    ['before the scale begins', Date.UTC(2025, 0, 31) - 1],
    ['after the scale ends', Date.UTC(2085, 0, 1)],
    ['at no time at all', Number.NaN],
  ] as const) {
    it(`refuses a request that arrives ${when}, instead of turning the order upside down`, () => {
      assert.throws(() => orderRank(time, 'critical'), RangeError);
    });
  }

  it('takes the first and the last moment of the scale', () => {
    assert.equal(orderRank(Date.UTC(2025, 0, 31) + 15 * 60_000, 'critical'), 1);
    assert.equal(orderRank(Date.UTC(2025, 0, 1) + 2_097_152 * 15 * 60_000 - 1, 'low'), 2_097_151);
    assert.throws(() => orderRank(Date.UTC(2025, 0, 1) + 2_097_152 * 15 * 60_000, 'low'), RangeError);
  });
});
