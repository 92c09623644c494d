import type { Limit } from '@diq/contracts/operations.ts';
import * as fc from 'fast-check';

/** One to three limits, short enough to be played: some imply others, some hold together. In any order. */
export const limitSets: fc.Arbitrary<Limit[]> = fc.uniqueArray(
  fc.record({ calls: fc.integer({ min: 1, max: 7 }), windowMs: fc.integer({ min: 40, max: 240 }) }),
  { minLength: 1, maxLength: 3, selector: ({ windowMs }) => windowMs },
);

/** A short window with a few calls, and a longer one with fewer than as many of the short ones would take. */
export const pairsThatBothHold: fc.Arbitrary<Limit[]> = fc
  .record({
    windowMs: fc.integer({ min: 40, max: 80 }),
    calls: fc.integer({ min: 1, max: 3 }),
    more: fc.integer({ min: 1, max: 2 }),
    times: fc.integer({ min: 3, max: 4 }),
  })
  .map(({ windowMs, calls, more, times }) => [
    { calls, windowMs },
    { calls: calls + more, windowMs: times * windowMs },
  ]);
