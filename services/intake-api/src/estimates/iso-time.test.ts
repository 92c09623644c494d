import assert from 'node:assert/strict';
import { isoTime } from './iso-time.ts';

describe('a time in answers', () => {
  it('is ISO 8601 in UTC', () => {
    assert.equal(isoTime(Date.UTC(2026, 10, 30, 8)), '2026-11-30T08:00:00.000Z');
  });

  it('is left out when its year has more than four digits', () => {
    assert.equal(isoTime(Date.UTC(9999, 11, 31, 23, 59, 59, 999)), '9999-12-31T23:59:59.999Z');
    assert.equal(isoTime(Date.UTC(10_000, 0, 1)), undefined);
    assert.equal(isoTime(Number.MAX_SAFE_INTEGER), undefined);
  });
});
