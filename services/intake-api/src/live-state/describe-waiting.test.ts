import assert from 'node:assert/strict';
import type { QueuedRequest } from '@diq/queue/operations/sample-queue.ts';
import { describeWaiting } from './describe-waiting.ts';

const none = { critical: 0, high: 0, medium: 0, low: 0 };
const request = (number: number, source?: string): QueuedRequest => ({
  id: String(number),
  source,
  priority: 'high',
  createdAtMs: Date.UTC(2026, 0, 24, 12, 0, number),
});

describe('what waits', () => {
  it('is counted by source with the oldest wait, where all requests were looked at', () => {
    const some = [request(3, 'soar'), request(1, 'soar'), request(2)];
    const waiting = describeWaiting({ queued: 3, isComplete: true, some, oldest: some }, none);
    assert.deepEqual(waiting.bySource, [
      { source: 'soar', requests: 2, oldestSince: '2026-01-24T12:00:01.000Z' },
      { source: null, requests: 1, oldestSince: '2026-01-24T12:00:02.000Z' },
    ]);
    assert.equal(waiting.isEstimate, false);
  });

  it('is listed for ten sources, with the rest in one number', () => {
    const some = Array.from({ length: 13 }, (_, i) => [request(i, `s${i}`), request(i, `s${i % 10}`)]).flat();
    const waiting = describeWaiting({ queued: 26, isComplete: true, some, oldest: some }, none);
    assert.equal(waiting.bySource.length, 10);
    assert.equal(waiting.otherSources, 3);
  });

  it('is an estimate where a part was looked at: counts from the random part, ages from the oldest too', () => {
    const some = [request(8, 'soar'), request(9, 'soar'), request(7), request(6)];
    const oldest = [request(1, 'soar'), request(2, 'old')];
    const waiting = describeWaiting({ queued: 1_000, isComplete: false, some, oldest }, none);
    assert.equal(waiting.isEstimate, true);
    assert.deepEqual(waiting.bySource[0], {
      source: null,
      requests: 500,
      oldestSince: '2026-01-24T12:00:06.000Z',
    });
    assert.deepEqual(waiting.bySource[1], {
      source: 'soar',
      requests: 500,
      oldestSince: '2026-01-24T12:00:01.000Z',
    });
  });
});
