import assert from 'node:assert/strict';
import { readEveryMs } from './read-schedule.ts';

const hourMs = 3_600_000;

describe('the reads for a result', () => {
  it('become rarer the longer it runs, from the shortest interval on', () => {
    const ages = [0, 0.5 * hourMs, 2 * hourMs, 24 * hourMs];
    assert.deepEqual(
      ages.map((ageMs) => readEveryMs(ageMs)),
      [30_000, 60_000, 180_000, 600_000],
    );
    assert.deepEqual(
      ages.map((ageMs) => readEveryMs(ageMs, 1_000)),
      [1_000, 2_000, 6_000, 20_000],
    );
  });
});
