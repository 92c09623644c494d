import assert from 'node:assert/strict';
import { throttleCause } from './throttle-cause.ts';

describe('the cause of a throttling', () => {
  it('is somebody else while we have permits to spare', () => {
    for (const used of [0, 1, 4]) assert.equal(throttleCause(used, 5), 'external');
  });

  it('is our own use once every permit is out', () => {
    for (const used of [5, 6]) assert.equal(throttleCause(used, 5), 'own');
    assert.equal(throttleCause(1, 1), 'own');
  });
});
