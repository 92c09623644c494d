import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

/** Each more urgent than the one before: what decides is the order of acceptance. */
const priorities = ['low', 'medium', 'high', 'critical', 'critical'] as const;

describe('contrary operations on a machine, by real processes', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  async function start(workerEnv: Record<string, string>, actionTime: string) {
    await redis.flush();
    stack = await startStack({
      redisUrl: redis.url,
      limit: 5,
      windowMs: 500,
      workers: 2,
      env: { DEFENDER_OPERATION: 'isolate', DEFENDER_OPERATIONS: 'isolate,unisolate' },
      workerEnv,
      simulatorEnv: { SIMULATOR_ACTION_TIME: actionTime, SIMULATOR_ACTION_PENDING_TIME: '5ms' },
    });
  }
  afterEach(() => stack?.stop());

  async function submit(machineId: string, count: number) {
    const asked = [];
    for (let i = 0; i < count; i += 1) {
      const operation = i % 2 === 0 ? 'isolate' : 'unisolate';
      const parameters = operation === 'isolate' ? { isolationType: 'Full' } : {};
      const request = {
        operation,
        machineId,
        comment: `${operation} ${i}`,
        priority: priorities[i],
        parameters,
      };
      const { status, body } = await stack.api.call('POST', '/v1/requests', request);
      assert.equal(status, 202, JSON.stringify(body));
      const { id, coalescedWith } = body as { id: string; coalescedWith?: string };
      assert.equal(coalescedWith, undefined);
      asked.push({ id, comment: request.comment });
    }
    return asked;
  }

  async function untilStarted(ids: readonly string[]) {
    const left = new Set(ids);
    const areStarted = async () => {
      for (const id of left) if ((await stack.api.findRequest(id)).status === 'started') left.delete(id);
      return left.size === 0;
    };
    await waitFor(areStarted, { what: 'all to be started', timeoutMs: 80_000, intervalMs: 200 });
  }

  it('are called in the order in which they were accepted, whatever their priorities and queues', async () => {
    await start({ FOLLOW_UP: 'off' }, '20ms');
    const expected = new Map<string, string[]>();
    const ids: string[] = [];
    for (const machineId of machineIds(6)) {
      const asked = await submit(machineId, priorities.length);
      ids.push(...asked.map(({ id }) => id));
      expected.set(
        machineId,
        asked.map(({ comment }) => comment),
      );
    }
    await untilStarted(ids);
    const { sequences } = await stack.control.actionJudgement();
    const called = sequences.map(({ machineId, actions }) => [
      machineId,
      actions.map(({ comment }) => comment.replace(/ \[diq:.*/, '')),
    ]);
    assert.deepEqual(new Map(called as [string, string[]][]), expected);
  });

  it('pass their class to what is before them, in its paused queue, and wait for the end of what it started', async () => {
    await start({ FOLLOW_UP_EVERY: '1s' }, '2s');
    const [machineId = ''] = machineIds(1);
    assert.equal((await stack.api.call('POST', '/v1/queue/pause', { reason: 'a test' })).status, 200);
    const asked = await submit(machineId, 2);
    const [isolate, unisolate] = asked;
    assert.ok(isolate && unisolate);
    const promotedBy = async () => (await stack.api.findRequest(isolate.id)).placement?.promotedBy;
    await waitFor(async () => (await promotedBy()) !== undefined, { what: 'the promotion' });
    assert.deepEqual(await promotedBy(), { requestId: unisolate.id, isBehind: true });
    assert.equal((await stack.api.call('POST', '/v1/queue/resume')).status, 200);
    await untilStarted(asked.map(({ id }) => id));
    const { sequences, overtakings } = await stack.control.actionJudgement();
    assert.deepEqual(overtakings, []);
    assert.equal(sequences[0]?.actions.length, 2);
  });
});
