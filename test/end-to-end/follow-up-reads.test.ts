import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

/** Half of Defender's 100 a minute, which is the default share. */
const readsInAMinute = 50;
const backInMs = 15_000;

describe('when the share of the reads is used up', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;
  let client: Redis;

  before('start the stack', async () => {
    client = new Redis(redis.url);
    stack = await startStack({
      redisUrl: redis.url,
      limit: 50,
      windowMs: 1_000,
      workers: 2,
      env: { DEFENDER_OPERATIONS: 'initiateInvestigation,isolate,unisolate' },
      workerEnv: { FOLLOW_UP_EVERY: '1s', QUOTA_COLD_START: 'open' },
      simulatorEnv: { SIMULATOR_ACTION_TIME: '1s', SIMULATOR_INVESTIGATION_TIME: '1s' },
    });
  });
  after(async () => {
    await stack?.stop();
    client?.disconnect();
  });

  it('calls go on, contrary actions wait for the end before, and following goes on when there are reads again', async () => {
    const [seconds] = await client.time();
    const countsFromMs = Number(seconds) * 1_000 - 60_000 + backInMs;
    const made = `diq:{${stack.tenantId}/reads}:made`;
    const used = Array.from({ length: readsInAMinute }, () => [countsFromMs, randomUUID()]);
    await client.zadd(made, ...used.flat());
    await client.pexpire(made, 3_600_000);

    const [contrary = '', ...others] = machineIds(12);
    const submit = async (operation: string, parameters?: object) => {
      const asked = { operation, machineId: contrary, comment: operation, ...(parameters && { parameters }) };
      return (await stack.api.call('POST', '/v1/requests', asked)).body as { id: string };
    };
    const isolation = await submit('isolate', { isolationType: 'Full' });
    const release = await submit('unisolate');
    const { id, items } = await stack.api.postBatch(others);
    await stack.api.untilCompleted(id, 10_000);
    await waitFor(async () => (await stack.api.findRequest(isolation.id)).status === 'started', {
      what: 'the isolation to be called',
    });
    const before = await stack.control.allReads();
    const outcomes = await Promise.all(
      items.map(async (item) => (await stack.api.findRequest(item.id ?? '')).result?.outcome),
    );
    assert.deepEqual([before.length, new Set(outcomes)], [0, new Set(['running'])]);
    assert.equal((await stack.api.findRequest(release.id)).status, 'queued');

    for (const one of [isolation.id, release.id, ...items.map((item) => item.id ?? '')])
      await waitFor(async () => (await stack.api.findRequest(one)).result?.outcome === 'succeeded', {
        what: `the end of ${one}`,
        timeoutMs: 60_000,
        intervalMs: 200,
      });
    assert.deepEqual((await stack.control.actionJudgement()).overtakings, []);
  });
});
