import assert from 'node:assert/strict';
import { nextDelayMs, standardSchedule } from './retry-schedule.ts';

const hourMs = 3_600_000;

describe('the schedule of attempts', () => {
  for (const [name, random] of [
    ['least', () => 0],
    ['most', () => 0.999],
  ] as const) {
    it(`begins within seconds, never hurries, and lasts for 24 hours, with the ${name} jitter`, () => {
      const atMs = [0];
      for (;;) {
        const elapsedMs = atMs.at(-1) ?? 0;
        const failed = { attempts: atMs.length, elapsedMs, retryAfterMs: undefined };
        const delayMs = nextDelayMs(standardSchedule, failed, random);
        if (delayMs === undefined) break;
        assert.ok(delayMs > 0);
        atMs.push(elapsedMs + delayMs);
      }
      assert.equal(atMs.at(-1), 24 * hourMs);
      assert.ok(atMs.length >= 12 && atMs.length <= 15, `${atMs.length} attempts`);
      assert.ok((atMs[1] ?? 0) <= 6_000);
    });
  }

  it('waits as long as the receiver asks, within bounds, and never less than without', () => {
    const wait = (retryAfterMs: number, elapsedMs = 0) =>
      nextDelayMs(standardSchedule, { attempts: 1, elapsedMs, retryAfterMs }, () => 0);
    assert.equal(wait(0), 5_000);
    assert.equal(wait(90_000), 90_000);
    assert.equal(wait(1e9), 6 * hourMs);
    assert.equal(wait(6 * hourMs, 23 * hourMs), hourMs);
  });
});
