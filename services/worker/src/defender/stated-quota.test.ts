import assert from 'node:assert/strict';
import { statedQuotaIn } from './read-error-details.ts';

describe('the quota that a 429 states', () => {
  for (const [message, calls, windowMs] of [
    ['API calls quota exceeded! maximum allowed 5 per 01:00:00', 5, 3_600_000],
    ['API calls quota exceeded! maximum admitted 1500 per 01:00:00 ...', 1_500, 3_600_000],
    ['API calls quota exceeded! Maximum allowed: 100 per 00:01:00.', 100, 60_000],
    ['maximum allowed 20 per 1.00:00:00', 20, 86_400_000],
  ] as const) {
    it(`is read out of "${message}"`, () => {
      assert.deepEqual(statedQuotaIn(message), { calls, windowMs });
    });
  }

  for (const message of [
    undefined,
    '',
    'Too many requests',
    'maximum allowed 0 per 01:00:00',
    'maximum allowed 5 per 00:00:00',
    'maximum allowed 5 per hour',
    'maximum allowed 5 per 00:00:01.5000000',
    'maximum allowed 12345678901 per 01:00:00',
    'maximum allowed -5 per -01:00:00',
  ]) {
    it(`is none in ${JSON.stringify(message)}`, () => {
      assert.equal(statedQuotaIn(message), undefined);
    });
  }
});
