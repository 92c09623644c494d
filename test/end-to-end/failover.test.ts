import assert from 'node:assert/strict';
import { startLaggingReplica } from '@diq/testing/lagging-replica.ts';
import type { LaggingReplica } from '@diq/testing/lagging-replica.ts';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import { startTcpProxy } from '@diq/testing/tcp-proxy.ts';
import type { TcpProxy } from '@diq/testing/tcp-proxy.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';
import { mostInAnyWindow } from './support/simulator-control.ts';

const limit = 12;
const windowMs = 8_000;

describe('a failover to a replica that has missed all calls of the last window', function () {
  this.timeout(150_000);
  let primary: RedisServer | undefined;
  let replica: LaggingReplica | undefined;
  let front: TcpProxy | undefined;
  let stack: Stack | undefined;

  before(async function () {
    requireRedisServer.call(this);
    primary = await startRedisServer({ args: ['--repl-diskless-sync-delay', '0'] });
    replica = await startLaggingReplica(primary);
    front = await startTcpProxy(primary.port);
    const redisUrl = `redis://127.0.0.1:${front.port}`;
    stack = await startStack({ redisUrl, limit, windowMs, workers: 2, callTimeoutMs: 15_000 });
  });
  after(async () => {
    await stack?.stop();
    await front?.close();
    await replica?.letGo();
    await Promise.all([replica?.server.stop(), primary?.stop()]);
  });

  it('calls no machine twice, breaks no window, and ends each request once with the id of its call', async () => {
    assert.ok(primary && replica && front && stack);
    const { api, control } = stack;
    const before = machineIds(limit);
    await api.postBatch(before);
    await control.untilCalls(limit);
    const machines = machineIds(2 * limit);
    const { id: batchId, items } = await api.postBatch(machines);
    await replica.untilInSync();

    // One call is answered only when its Redis is gone; the others have their outcome stored in the one that goes.
    await control.addFault({ target: 'start', times: 1, action: { kind: 'delay', ms: 6_000 } });
    replica.holdBack();
    await control.untilCalls(2 * limit);
    await waitFor(async () => (await api.findBatch(batchId)).counts['started'] === limit - 1, {
      what: 'the outcomes of the other calls',
      timeoutMs: 10_000,
    });
    await primary.kill();
    await replica.promote();
    front.moveTo(replica.server.port);

    const batch = await api.untilCompleted(batchId, 90_000);
    assert.equal(batch.counts['started'], machines.length, JSON.stringify(batch.counts));
    const log = await control.calls();
    const called = log.calls.map((call) => call.machineId).toSorted();
    assert.deepEqual(called, [...before, ...machines].toSorted());
    assert.ok(mostInAnyWindow(log) <= limit, `${mostInAnyWindow(log)} calls in one window`);
    for (const { id = '', machineId = '' } of items) {
      const { status, investigationId, attempts } = await api.findRequest(id);
      const made = await control.investigationOf(machineId);
      assert.deepEqual([status, investigationId, attempts], ['started', made, 1], machineId);
    }
  });
});
