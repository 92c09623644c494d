import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';
import { mostInAnyWindow } from './support/simulator-control.ts';

const limit = 5;
const windowMs = 3_000;
const machines = machineIds(60);

describe('from a bulk request to investigation ids, with 3 workers and 60 machines', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before(async () => {
    stack = await startStack({ redisUrl: redis.url, limit, windowMs, workers: 3 });
  });
  after(() => stack?.stop());

  it('starts every machine once, within the quota and without wasting it', async () => {
    const accepted = await stack.api.postBatch(machines);
    assert.equal(accepted.counts['accepted'], machines.length);

    const batch = await stack.api.untilCompleted(accepted.id, 60_000);
    assert.equal(batch.counts['started'], machines.length);

    const log = await stack.control.calls();
    assert.deepEqual(log.calls.map((call) => call.machineId).toSorted(), machines.toSorted());
    assert.ok(mostInAnyWindow(log) <= limit, `${mostInAnyWindow(log)} calls in one window`);
    assert.equal(log.maxInAnyWindow, mostInAnyWindow(log));

    const used = usedShare(log.calls.map((call) => call.atMs));
    console.info(`      used ${(100 * used).toFixed(1)} % of the calls that were possible`);
    assert.ok(used >= 0.8, `only ${used} of the possible calls were made`);

    const idOf = new Map(log.calls.map((call) => [call.machineId, String(call.investigationId)]));
    for (const { id = '', machineId = '' } of accepted.items) {
      const request = await stack.api.findRequest(id);
      assert.equal(request.status, 'started');
      assert.equal(request.investigationId, idOf.get(machineId));
      assert.equal(request.attempts, 1);
    }
  });

  it('kept to the order in which the machines were given', async () => {
    const { calls } = await stack.control.calls();
    const places = calls.map((call) => Math.floor(machines.indexOf(call.machineId) / limit));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
  });
});

/**
 * Calls made, of those that the quota allowed from the first call to the last: a full burst at once, and as much again
 * with each window that passed. Reckoned to the millisecond: a call that comes late is seen at once.
 */
function usedShare(times: readonly number[]): number {
  const [first = 0] = times;
  const windows = ((times.at(-1) ?? 0) - first) / windowMs;
  return times.length / (limit * windows + limit);
}
