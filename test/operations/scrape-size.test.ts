import assert from 'node:assert/strict';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import { createMetrics } from '../../services/intake-api/src/observability/metrics.ts';
import type { QueueState } from '../../services/intake-api/src/estimates/queue-state.ts';

const queues = 1_000;
/** Two limits, as most operations have. */
const seriesOfQueue = 45;
/** The names of tenants have at most 40 characters: so many they have here. */
const bytesOfQueue = 5_400;

describe('a scrape of an intake with 1,000 queues', () => {
  it(`has ${seriesOfQueue} series a queue, and ${bytesOfQueue} bytes at most, whatever was read of them`, async () => {
    const metrics = createMetrics();
    const withoutQueues = await metrics.registry.metrics();
    const named = Array.from({ length: queues }, (_, i) => ({
      tenant: String(i).padStart(40, '0'),
      operation: 'runAntiVirusScan' as const,
    }));
    named.forEach(metrics.showQueue);
    const all = named.map(metrics.ofQueue);
    for (const queue of all) queue.showState(state);
    // Once more: what a reading showed is not added to.
    for (const queue of all) queue.showState(state);

    const text = await metrics.registry.metrics();
    assert.equal((seriesIn(text) - seriesIn(withoutQueues)) / queues, seriesOfQueue);
    const bytes = Buffer.byteLength(text) - Buffer.byteLength(withoutQueues);
    assert.ok(bytes <= queues * bytesOfQueue, `${bytes / queues} bytes a queue`);

    named.forEach(metrics.forgetQueue);
    const afterwards = await metrics.registry.metrics();
    assert.equal(seriesIn(afterwards), seriesIn(withoutQueues), 'nothing is left of those that are removed');
  });
});

function seriesIn(text: string): number {
  return text.split('\n').filter((line) => line.startsWith('diq_')).length;
}

const nowMs = Date.parse('2026-11-27T08:00:00Z');
const slotsInUse = [{ freeAtMs: nowMs + 1_000, call: undefined }];
const state: QueueState = {
  view: {
    nowMs,
    limits: [...oneLimit(100, 60_000, slotsInUse), ...oneLimit(1_500, 3_600_000, slotsInUse)],
    slotsInUse,
    hold: undefined,
    holdsOn: [],
    isLost: false,
  },
  backlog: {
    counts: {
      queued: 12_345,
      dispatching: 1,
      started: 1_234_567,
      failed: 1,
      unknown: 1,
      cancelled: 1,
      expired: 1,
    },
    waitingTasks: 12_345,
    lookingUp: 0,
    openResults: 0,
    aside: { machineBusy: 0, machineOffline: 0 },
    slotsSaved: { machine_unknown: 0, already_covered: 0 },
    waitingByPriority: { critical: 1, high: 1, medium: 12_342, low: 1 },
    oldestSinceMs: nowMs - 86_400_123,
  },
  workers: { state: 'active', alive: 2, lastSeenAtMs: nowMs },
};
