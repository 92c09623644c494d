import assert from 'node:assert/strict';
import { pollAfterSeconds, retryAfterSeconds } from './retry-after.ts';

describe('Retry-After', () => {
  it('is the time until something is expected, in whole seconds and never too early', () => {
    assert.equal(retryAfterSeconds(60_001), '61');
  });

  it('is at least 5 and at most 600 seconds', () => {
    assert.deepEqual([-1_000, 0, 5_000, 600_000, 9e15].map(retryAfterSeconds), ['5', '5', '5', '600', '600']);
  });

  it('is a minute where the wait is unknown', () => {
    assert.equal(retryAfterSeconds(undefined), '60');
  });

  it('is the time to the call for a request that waits, short while it is called, and absent at the end', () => {
    assert.deepEqual(
      [
        pollAfterSeconds('queued', 90_000),
        pollAfterSeconds('queued', undefined),
        pollAfterSeconds('dispatching', 90_000),
      ],
      ['90', '60', '5'],
    );
    for (const status of ['started', 'failed', 'unknown', 'cancelled', 'expired'] as const)
      assert.equal(pollAfterSeconds(status, 90_000), undefined);
  });
});
