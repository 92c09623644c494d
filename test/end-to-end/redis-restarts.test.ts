import assert from 'node:assert/strict';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';
import { mostInAnyWindow } from './support/simulator-control.ts';

const limit = 3;
const windowMs = 2_000;

describe('Redis killed and started again with its append-only file, while work waits', function () {
  this.timeout(90_000);
  let redis: Awaited<ReturnType<typeof startRedisServer>> | undefined;
  let stack: Stack | undefined;

  before(async function () {
    requireRedisServer.call(this);
    redis = await startRedisServer({ appendOnly: true });
    stack = await startStack({ redisUrl: redis.url, limit, windowMs, workers: 2 });
  });
  after(async () => {
    await stack?.stop();
    await redis?.stop();
  });

  it('loses no request, breaks no window and calls no machine twice', async () => {
    assert.ok(redis && stack);
    const machines = machineIds(15);
    const { id: batchId } = await stack.api.postBatch(machines);
    await stack.control.untilCalls(4);
    await redis.kill('SIGKILL');
    const { status, body } = await stack.api.call('GET', `/v1/batches/${batchId}`);
    assert.equal(status, 503, JSON.stringify(body));
    await redis.restart();

    const batch = await stack.api.untilCompleted(batchId, 60_000);
    assert.equal(batch.counts['started'], machines.length, JSON.stringify(batch.counts));
    const log = await stack.control.calls();
    assert.deepEqual(log.calls.map((call) => call.machineId).toSorted(), machines.toSorted());
    assert.ok(mostInAnyWindow(log) <= limit, `${mostInAnyWindow(log)} calls in one window`);
  });
});
