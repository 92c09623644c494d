import assert from 'node:assert/strict';
import { pauseBeforeRetry } from './retry-policy.ts';

const first = {
  count: 1,
  status: 503,
  code: 'redis_unavailable',
  retryAfterMs: undefined,
  isRepeatable: true,
};

describe('the pause before a retry', () => {
  it('doubles, has a random part, and is bounded as attempts are', () => {
    const pausesAt = (random: number) =>
      [1, 2, 3, 4, 5].map((count) => pauseBeforeRetry({ ...first, count }, random));
    assert.deepEqual(pausesAt(0), [250, 500, 1_000, 2_000, undefined]);
    assert.deepEqual(pausesAt(1), [500, 1_000, 2_000, 4_000, undefined]);
  });

  it('is no shorter than the service asks for', () => {
    assert.equal(pauseBeforeRetry({ ...first, retryAfterMs: 30_000 }, 0), 30_000);
  });

  it('is there for what may pass by itself, and for nothing else', () => {
    const isTriedAgain = (more: Partial<typeof first> | { status: undefined }) =>
      pauseBeforeRetry({ ...first, ...more }, 0) !== undefined;
    for (const status of [408, 429, 502, 503, 504, undefined])
      assert.ok(isTriedAgain({ status }), String(status));
    for (const status of [400, 401, 403, 404, 409, 413, 422, 500])
      assert.ok(!isTriedAgain({ status }), String(status));
    assert.ok(isTriedAgain({ status: 409, code: 'idempotency_in_flight' }));
    assert.ok(!isTriedAgain({ status: undefined, code: 'answer_too_large' }));
  });

  it('is there for a call that must not be made twice only where it was refused', () => {
    const isTriedAgain = (status: number | undefined) =>
      pauseBeforeRetry({ ...first, status, isRepeatable: false }, 0) !== undefined;
    assert.deepEqual([429, 503, 408, 502, 504, undefined].map(isTriedAgain), [
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
