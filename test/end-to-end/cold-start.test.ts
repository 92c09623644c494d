import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';
import { mostInAnyWindow } from './support/simulator-control.ts';

const limit = 3;
const windowMs = 6_000;

describe('Redis emptied', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  beforeEach(async () => {
    await redis.flush();
    stack = await startStack({ redisUrl: redis.url, limit, windowMs, callTimeoutMs: 1_000, workers: 1 });
  });
  afterEach(() => stack?.stop());

  it('and the worker with it: a new worker keeps the window that the calls before had begun', async () => {
    await stack.api.postBatch(machineIds(limit));
    await stack.control.untilCalls(limit);
    stack.workers[0]?.kill('SIGKILL');
    await redis.client.flushall();
    const { id } = await stack.api.postBatch(machineIds(limit));
    await stack.addWorker();
    await waitFor(async () => (await stack.api.quota()).hold?.reason === 'cold_start', { what: 'the hold' });
    await waitFor(async () => (await stack.api.quota()).hold === null, { what: 'its end' });
    assert.equal((await stack.api.quota()).used, limit);
    const batch = await stack.api.untilCompleted(id, 30_000);
    assert.equal(batch.counts['started'], limit);
    const log = await stack.control.calls();
    assert.ok(mostInAnyWindow(log) <= limit, `${mostInAnyWindow(log)} calls in one window`);
  });

  it('while the worker runs: no call is made until one window is over, and then as before', async () => {
    await stack.api.postBatch(machineIds(limit));
    await stack.control.untilCalls(limit);
    await redis.client.flushall();
    const { id } = await stack.api.postBatch(machineIds(limit));
    await stack.api.untilCompleted(id, 60_000);
    const log = await stack.control.calls();
    assert.equal(log.calls.length, 2 * limit);
    assert.ok(mostInAnyWindow(log) <= limit, `${mostInAnyWindow(log)} calls in one window`);
  });
});
