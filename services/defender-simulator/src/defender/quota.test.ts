import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { createQuota } from './quota.ts';
import { rollingMaximum } from './call-log.ts';

describe('the quota', () => {
  it('frees a rolling slot exactly one window after the call that took it', () => {
    const quota = createQuota({ limit: 2, windowMs: 1000, kind: 'rolling' });
    quota.count(0);
    quota.count(300);
    assert.equal(quota.retryAfterMs(400), 600);
    assert.equal(quota.retryAfterMs(999.5), 0.5);
    assert.equal(quota.retryAfterMs(1000), 0);
    quota.count(1000);
    assert.equal(quota.retryAfterMs(1000), 300);
  });

  it('frees a whole fixed window at once, counted from its first call', () => {
    const quota = createQuota({ limit: 2, windowMs: 1000, kind: 'fixed' });
    quota.count(500);
    quota.count(1400);
    assert.equal(quota.retryAfterMs(1450), 50);
    assert.equal(quota.used(1500), 0);
    assert.equal(quota.retryAfterMs(1500), 0);
  });

  it('asks for longer when refused calls were counted too', () => {
    const quota = createQuota({ limit: 1, windowMs: 1000, kind: 'rolling' });
    quota.count(0);
    quota.count(900);
    assert.equal(quota.retryAfterMs(900), 1000);
  });

  it('never lets more than the limit into any rolling window, and refuses none that would fit', () => {
    const gapsMs = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 60 });
    fc.assert(
      fc.property(gapsMs, fc.integer({ min: 1, max: 5 }), (gaps, limit) => {
        const quota = createQuota({ limit, windowMs: 1000, kind: 'rolling' });
        const takenMs: number[] = [];
        let nowMs = 0;
        for (const gapMs of gaps) {
          nowMs += gapMs;
          const fits =
            rollingMaximum(
              [...takenMs, nowMs].filter((at) => nowMs - at < 1000),
              1000,
            ) <= limit;
          assert.equal(quota.retryAfterMs(nowMs) === 0, fits);
          if (!fits) continue;
          quota.count(nowMs);
          takenMs.push(nowMs);
        }
        assert.ok(rollingMaximum(takenMs, 1000) <= limit);
      }),
      { numRuns: 200 },
    );
  });

  it('starts anew after a reset', () => {
    const quota = createQuota({ limit: 1, windowMs: 1000, kind: 'rolling' });
    quota.count(0);
    quota.reset();
    assert.equal(quota.retryAfterMs(1), 0);
  });
});
