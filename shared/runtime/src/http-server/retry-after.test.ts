import assert from 'node:assert/strict';
import { maxRetryAfterMs, parseRetryAfter } from './retry-after.ts';

describe('Retry-After', () => {
  const nowMs = Date.UTC(2026, 10, 20, 12, 0, 0);

  for (const [header, expectedMs] of [
    ['0', 0],
    ['1', 1_000],
    [' 1200 ', 1_200_000],
    ['86400', maxRetryAfterMs],
    ['86401', maxRetryAfterMs],
    ['9'.repeat(400), maxRetryAfterMs],
    ['Fri, 20 Nov 2026 12:01:30 GMT', 90_000],
    ['Friday, 20-Nov-26 12:01:30 GMT', 90_000],
    ['Fri Nov 20 12:01:30 2026', 90_000],
    ['Fri, 20 Nov 2026 12:00:00 GMT', 0],
    ['Fri, 20 Nov 2099 12:00:00 GMT', maxRetryAfterMs],
    ['Fri, 20 Nov 2026 11:59:59 GMT', undefined],
    ['-5', undefined],
    ['+5', undefined],
    ['1.5', undefined],
    ['0x10', undefined],
    ['5s', undefined],
    ['', undefined],
    ['soon', undefined],
    ['2026-11-20T12:01:30Z', undefined],
    ['Fri, 99 Nov 2026 12:01:30 GMT', undefined],
  ] as const) {
    it(`reads "${header.slice(0, 40)}" as ${expectedMs === undefined ? 'nothing' : `${expectedMs} ms`}`, () => {
      assert.equal(parseRetryAfter({ 'retry-after': header }, nowMs), expectedMs);
    });
  }

  it('measures a date against the answer’s own clock, so that an error of ours does not count', () => {
    const date = 'Fri, 20 Nov 2026 12:01:00 GMT';
    const header = 'Fri, 20 Nov 2026 12:01:30 GMT';
    assert.equal(parseRetryAfter({ 'retry-after': header, date }, nowMs), 30_000);
    assert.equal(parseRetryAfter({ 'retry-after': header, date: 'broken' }, nowMs), 90_000);
    assert.equal(parseRetryAfter({ 'retry-after': '30', date }, nowMs), 30_000);
  });

  it('is absent where the header is, and the longest where there are several', () => {
    assert.equal(parseRetryAfter({}, nowMs), undefined);
    assert.equal(parseRetryAfter({ 'retry-after': [] }, nowMs), undefined);
    assert.equal(parseRetryAfter({ 'retry-after': ['5', 'x', '7'] }, nowMs), 7_000);
  });
});
