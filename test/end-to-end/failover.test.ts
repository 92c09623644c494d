import assert from 'node:assert/strict';
import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import { startLaggingReplica, type LaggingReplica } from '@diq/testing/lagging-replica.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { startTcpProxy, type TcpProxy } from '@diq/testing/tcp-proxy.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';
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
    primary = await startRedisServer();
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
    const { api, control, tenantId } = stack;
    const machines = machineIds(2 * limit);
    const batches = [
      await api.postBatch(machines.slice(0, limit)),
      await api.postBatch(machines.slice(limit)),
    ];
    const ofSecond = batches[1]?.id ?? '';
    await control.untilCalls(limit);
    await replica.untilInSync();

    // One call is answered only when its Redis is gone; the others have their outcome stored in the one that goes.
    await control.addFault({ target: 'start', times: 1, action: { kind: 'delay', ms: 6_000 } });
    replica.holdBack();
    await control.untilCalls(2 * limit);
    await waitFor(async () => (await api.findBatch(ofSecond)).counts['started'] === limit - 1, {
      what: 'the outcomes of the other calls',
      timeoutMs: 10_000,
    });
    const [late = ''] = machineIds(1);
    const acceptedLate = await api.postBatch([late]);
    await primary.kill();
    await replica.promote();
    const keySpace = keySpaceOf({ tenantId, operation: 'initiateInvestigation' });
    assert.equal(
      await replica.client.hlen(`${keySpace}:ledger:entries`),
      limit,
      'calls that the replica knows',
    );
    front.moveTo(replica.server.port);

    for (const { id } of batches) {
      const { counts } = await api.untilCompleted(id, 90_000);
      assert.deepEqual(counts, { ...counts, started: limit });
    }
    // What the replica had not heard of is gone, as documented; its caller asks again.
    assert.equal((await api.call('GET', `/v1/batches/${acceptedLate.id}`)).status, 404);
    const again = await api.postBatch([late]);
    await api.untilCompleted(again.id, 90_000);

    const log = await control.calls();
    const called = log.calls.map((call) => call.machineId).toSorted();
    assert.deepEqual(called, [...machines, late].toSorted());
    assert.ok(mostInAnyWindow(log) <= limit, `${mostInAnyWindow(log)} calls in one window`);
    for (const { id = '', machineId = '' } of [...batches, again].flatMap(({ items }) => items)) {
      const { status, investigationId, attempts } = await api.findRequest(id);
      const made = await control.investigationOf(machineId);
      assert.deepEqual([status, investigationId, attempts], ['started', made, 1], machineId);
    }
  });
});
