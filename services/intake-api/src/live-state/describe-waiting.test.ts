import assert from 'node:assert/strict';
import type { QueuedRequest } from '@diq/queue/operations/queue-figures.ts';
import { describeHistory, describeWaiting } from './describe-waiting.ts';

const none = { critical: 0, high: 3, medium: 0, low: 0 };
const request = (number: number, source?: string): QueuedRequest => ({
  id: String(number),
  source,
  priority: 'high',
  createdAtMs: Date.UTC(2026, 0, 24, 12, 0, number),
});

describe('what waits', () => {
  it('has by source and class since when the oldest waits, as far as that is among the oldest of all', () => {
    const waiting = describeWaiting(
      {
        sources: [
          { source: 'soar', requests: 500 },
          { source: undefined, requests: 2 },
          { source: 'late', requests: 1 },
        ],
        otherSources: 2,
        otherRequests: 7,
        oldest: [request(1, 'soar'), request(2), request(3, 'soar')],
      },
      none,
    );
    assert.deepEqual(waiting.bySource, [
      { source: 'soar', requests: 500, oldestSince: '2026-01-24T12:00:01.000Z' },
      { source: null, requests: 2, oldestSince: '2026-01-24T12:00:02.000Z' },
      { source: 'late', requests: 1, oldestSince: null },
    ]);
    assert.deepEqual([waiting.otherSources, waiting.otherSourceCount], [7, 2]);
    assert.deepEqual(waiting.byPriority[1], {
      priority: 'high',
      calls: 3,
      oldestSince: '2026-01-24T12:00:01.000Z',
    });
    assert.equal(waiting.byPriority[3]?.oldestSince, null);
  });

  it('has its lengths with their times', () => {
    const lengths = [{ atMs: Date.UTC(2026, 0, 24, 12), queued: 3 }];
    assert.deepEqual(describeHistory({ lengths }), [{ at: '2026-01-24T12:00:00.000Z', queued: 3 }]);
  });
});
