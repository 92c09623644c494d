import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';
import { mostInAnyWindow } from './support/simulator-control.ts';

const limit = 3;
const windowMs = 1_500;

describe('a worker that dies or is stopped in the middle of a call', function () {
  this.timeout(60_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before('start the stack', async () => {
    stack = await startStack({ redisUrl: redis.url, limit, windowMs, workers: 1, callTimeoutMs: 1_000 });
  });
  beforeEach('wait for a whole window', async () => {
    await waitFor(async () => (await stack.api.quota()).used === 0, {
      what: 'the last calls to count no more',
    });
  });
  after(() => stack?.stop());
  /** The one that runs: each test ends it and starts another. */
  const worker = () => stack.workers.at(-1);

  it('killed: the call is not made again, its outcome is reported as unknown, and all others are started', async () => {
    const { counts, request, others } = await killDuring({ kind: 'hang' });
    assert.deepEqual([counts['started'], counts['unknown']], [others, 1]);
    assert.deepEqual([request.status, request.error?.code], ['unknown', 'call_interrupted']);
  });

  it('killed after Defender took the call: its investigation is found, and the call is not made again', async () => {
    const { counts, request, others, investigationId } = await killDuring({ kind: 'hang', made: true });
    assert.equal(counts['started'], others + 1);
    assert.ok(investigationId);
    assert.deepEqual([request.investigationId, request.result?.attached], [investigationId, undefined]);
  });

  it('stopped: the call in flight is finished and stored, and the rest is left for the next worker', async () => {
    const machines = machineIds(6);
    await stack.control.addFault({ target: 'start', times: 1, action: { kind: 'delay', ms: 700 } });
    const callsBefore = (await stack.control.calls()).calls.length;
    const { id: batchId } = await stack.api.postBatch(machines);
    await stack.control.untilCalls(callsBefore + 1);
    const stoppedAtMs = performance.now();
    const exit = await worker()?.stop('SIGTERM', 10_000);
    assert.equal(exit?.code, 0);
    assert.ok(performance.now() - stoppedAtMs < 10_000);

    const arrived = (await stack.control.calls()).calls.length - callsBefore;
    const before = await stack.api.findBatch(batchId);
    assert.equal(before.counts['started'], arrived, 'every call that was made is stored');
    assert.equal(before.counts['dispatching'], 0);

    await stack.addWorker();
    const batch = await stack.api.untilCompleted(batchId, 30_000);
    assert.equal(batch.counts['started'], machines.length);
    const log = await stack.control.calls();
    assert.equal(log.calls.length - callsBefore, machines.length, 'no machine was called twice');
    assert.ok(mostInAnyWindow(log) <= limit);
  });

  /** Kills the only worker while the first machine's call meets this, and lets another one finish. */
  async function killDuring(action: object) {
    const [hung = '', ...others] = machineIds(7);
    await stack.control.addFault({ target: 'start', times: 1, when: { machineId: hung }, action });
    const { id: batchId, items } = await stack.api.postBatch([hung, ...others]);
    // The first window: the call that hangs, and two whose answers are stored.
    await waitFor(async () => (await stack.api.findBatch(batchId)).counts['started'] === limit - 1, {
      timeoutMs: 10_000,
      what: 'all but the hanging call to be answered',
    });
    worker()?.kill('SIGKILL');
    await worker()?.exited;
    await stack.addWorker();
    const { counts } = await stack.api.untilCompleted(batchId, 40_000);

    const log = await stack.control.calls();
    assert.equal(log.calls.filter((call) => call.machineId === hung).length, 1);
    assert.ok(mostInAnyWindow(log) <= limit);
    return {
      counts,
      others: others.length,
      request: await stack.api.findRequest(items[0]?.id ?? ''),
      investigationId: await stack.control.investigationOf(hung),
    };
  }
});
