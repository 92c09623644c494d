import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { createQueueOrder } from '@diq/queue/scheduling/queue-order.ts';
import { createReadingPace } from '@diq/runtime/async/memoize.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createExplainPlace } from './explain-place.ts';

const unused = () => assert.fail('not asked for');
const place = {
  priority: 'high',
  virtualStartMs: 0,
  first: 'asked',
  requests: 1,
  createdAtMs: 0,
  notAfterMs: undefined,
  flowCaller: undefined,
  deferredToMs: undefined,
  raisedBy: undefined,
  isRaisedOnMachine: false,
  head: undefined,
} as const;
const asked = {
  id: 'asked',
  status: 'queued',
  machineId: 'machine',
  comment: 'Looks bad',
  priority: 'high',
  createdAt: '2026-11-28T10:00:00.000Z',
  attempts: 0,
} as const;

describe('the placement of a request', () => {
  const redis = useEmbeddedRedis();
  let laterMs = 0;
  beforeEach('set the clock', () => {
    laterMs = 0;
    const now = performance.now.bind(performance);
    mock.method(performance, 'now', () => now() + laterMs);
  });
  afterEach(() => mock.restoreAll());

  it('says that it is an estimate while the order is not read again, since those of other queues are', async () => {
    const pace = createReadingPace(1, 15);
    const { explain } = createExplainPlace({
      order: createQueueOrder(redis.client, 'test:{placement}'),
      backlog: unused,
      ledgerSnapshot: unused,
      firstOn: unused,
      rules: { headStartMs: { critical: 0, high: 0, medium: 0, low: 0 }, reserveForCritical: 0 },
      pace,
    });
    const isEstimate = async () => {
      const { placement } = await explain(asked, { position: 1, place, caller: 'soar' });
      return placement?.ahead.isEstimate;
    };
    assert.equal(await isEstimate(), false);
    laterMs += 10_000;
    pace.take();
    assert.equal(await isEstimate(), true);
    laterMs += 10_000;
    assert.equal(await isEstimate(), false);
  });
});
