import assert from 'node:assert/strict';
import { startLaggingReplica, type LaggingReplica } from '@diq/testing/lagging-replica.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { startTcpProxy, type TcpProxy } from '@diq/testing/tcp-proxy.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

describe('a failover while results are open, to a replica that lacks what became of the last call', function () {
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
    stack = await startStack({
      redisUrl: `redis://127.0.0.1:${front.port}`,
      limit: 20,
      windowMs: 1_000,
      workers: 2,
      callTimeoutMs: 6_000,
      reconcileGraceMs: 10_000,
      env: { DEFENDER_OPERATION: 'isolate', DEFENDER_OPERATIONS: 'isolate,unisolate' },
      workerEnv: { FOLLOW_UP_EVERY: '1s', DEFENDER_READ_SHARE: '1', LOOK_BEFORE_CALL: 'off' },
      simulatorEnv: { SIMULATOR_ACTION_TIME: '8s', SIMULATOR_ACTION_PENDING_TIME: '1s' },
    });
  });
  after(async () => {
    await stack?.stop();
    await front?.close();
    await replica?.letGo();
    await Promise.all([replica?.server.stop(), primary?.stop()]);
  });

  it('follows all to their ends, calls nothing twice, and lets no contrary action overtake', async () => {
    assert.ok(primary && replica && front && stack);
    const { api, control } = stack;
    async function submit(operation: string, machineId: string): Promise<string> {
      const parameters = operation === 'isolate' ? { isolationType: 'Full' } : {};
      const asked = { operation, machineId, comment: `${operation} ${machineId}`, parameters };
      const { status, body } = await api.call('POST', '/v1/requests', asked);
      assert.equal(status, 202, JSON.stringify(body));
      return (body as { id: string }).id;
    }
    const untilStarted = (id: string) =>
      waitFor(async () => (await api.findRequest(id)).status === 'started', {
        what: `${id} to be started`,
        timeoutMs: 30_000,
        intervalMs: 50,
      });
    const [last = '', ...machines] = machineIds(4);
    const ids: string[] = [];
    for (const machineId of machines) ids.push(await submit('isolate', machineId));
    await Promise.all(ids.map(untilStarted));
    for (const machineId of machines) ids.push(await submit('unisolate', machineId));

    // The replica has the call of this one, and not what it was answered.
    await control.addFault({
      target: 'start',
      when: { machineId: last },
      action: { kind: 'delay', ms: 3_000 },
    });
    const late = await submit('isolate', last);
    ids.push(late, await submit('unisolate', last));
    await waitFor(async () => (await control.calls()).calls.some(({ machineId }) => machineId === last), {
      what: 'the last call to arrive',
      intervalMs: 20,
    });
    await replica.untilInSync();
    replica.holdBack();
    await untilStarted(late);
    await primary.kill();
    await replica.promote();
    front.moveTo(replica.server.port);

    for (const id of ids)
      await waitFor(
        async () => (await api.findRequest(id).catch(() => undefined))?.result?.outcome === 'succeeded',
        {
          what: `the end of ${id}`,
          timeoutMs: 100_000,
          intervalMs: 500,
        },
      );
    const { sequences, overtakings } = await control.actionJudgement();
    assert.deepEqual(overtakings, []);
    assert.equal(sequences.length, machines.length + 1);
    for (const { actions } of sequences)
      assert.deepEqual(
        actions.map(({ type }) => type),
        ['Isolate', 'Unisolate'],
      );
  });
});
