import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

const machines = 6;
const actsOfEach = 5;
/** Each more urgent than the one before: what decides is the order of acceptance. */
const priorities = ['low', 'medium', 'high', 'critical', 'critical'] as const;

describe('contrary operations on a machine, by real processes', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before('start the stack', async () => {
    const env = { DEFENDER_OPERATION: 'isolate', DEFENDER_OPERATIONS: 'isolate,unisolate' };
    const simulatorEnv = { SIMULATOR_ACTION_TIME: '20ms', SIMULATOR_ACTION_PENDING_TIME: '5ms' };
    stack = await startStack({
      redisUrl: redis.url,
      limit: 5,
      windowMs: 500,
      workers: 2,
      env,
      simulatorEnv,
    });
  });
  after(() => stack?.stop());

  it('are called in the order in which they were accepted, whatever their priorities and queues', async () => {
    const ids: string[] = [];
    const expected = new Map<string, string[]>();
    for (const machineId of machineIds(machines)) {
      expected.set(machineId, []);
      for (let i = 0; i < actsOfEach; i += 1) {
        const operation = i % 2 === 0 ? 'isolate' : 'unisolate';
        const parameters = operation === 'isolate' ? { isolationType: 'Full' } : {};
        const asked = {
          operation,
          machineId,
          comment: `${operation} ${i}`,
          priority: priorities[i],
          parameters,
        };
        const { status, body } = await stack.api.call('POST', '/v1/requests', asked);
        assert.equal(status, 202, JSON.stringify(body));
        const { id, coalescedWith } = body as { id: string; coalescedWith?: string };
        assert.equal(coalescedWith, undefined);
        ids.push(id);
        expected.get(machineId)?.push(asked.comment);
      }
    }
    const left = new Set(ids);
    const areStarted = async () => {
      for (const id of left) if ((await stack.api.findRequest(id)).status === 'started') left.delete(id);
      return left.size === 0;
    };
    await waitFor(areStarted, { what: 'all to be started', timeoutMs: 80_000, intervalMs: 200 });
    const { sequences } = await stack.control.actionJudgement();
    const called = new Map(
      sequences.map(({ machineId, actions }) => [
        machineId,
        actions.map(({ comment }) => comment.replace(/ \[diq:.*/, '')),
      ]),
    );
    assert.deepEqual(called, expected);
  });
});
