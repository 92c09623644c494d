import assert from 'node:assert/strict';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

const many = 20;

describe('results of calls', () => {
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before('start the stack', async function () {
    this.timeout(60_000);
    stack = await startStack({
      redisUrl: redis.url,
      limit: 100,
      windowMs: 60_000,
      workers: 2,
      env: { DEFENDER_OPERATIONS: 'initiateInvestigation,runAntiVirusScan' },
      simulatorEnv: { SIMULATOR_ACTION_TIME: '5s', SIMULATOR_INVESTIGATION_TIME: '5s' },
      workerEnv: { LOOK_BEFORE_CALL: 'off' },
    });
  });
  after(() => stack?.stop());

  it('are followed to their end by few reads, over the death of a worker, and polling them reads nothing', async function () {
    this.timeout(150_000);
    const investigations = await stack.api.postBatch(machineIds(many));
    const scans = await Promise.all(
      machineIds(many).map(async (machineId) => {
        const asked = {
          operation: 'runAntiVirusScan',
          machineId,
          comment: 'INC-1',
          parameters: { scanType: 'Quick' },
        };
        const { status, body } = await stack.api.call('POST', '/v1/requests', asked);
        assert.equal(status, 202, JSON.stringify(body));
        return requestDocument.parse(body).id;
      }),
    );
    const ids = [...investigations.items.map(({ id = '' }) => id), ...scans];
    const find = async (id: string) =>
      requestDocument.parse((await stack.api.call('GET', `/v1/requests/${id}`)).body);
    // A call under way that died with its worker would be looked up first, a minute and more later.
    await waitFor(
      async () => (await Promise.all(ids.map(find))).every(({ status }) => status === 'started'),
      {
        what: 'all calls to be answered',
        timeoutMs: 30_000,
      },
    );
    stack.workers[0]?.kill('SIGKILL');
    await stack.workers[0]?.exited;
    const ended = await waitFor(
      async () => {
        const found = await Promise.all(ids.map(find));
        return found.every(({ result }) => result?.outcome === 'succeeded') && found;
      },
      { what: 'all results to end', timeoutMs: 100_000, intervalMs: 500 },
    );
    for (const { status, result } of ended) {
      assert.equal(status, 'started');
      assert.ok(result?.checkedAt && result.endedAt && result.startedAt);
    }
    const batch = (await stack.api.call('GET', `/v1/batches/${investigations.id}`)).body as {
      results: object;
      endedAt?: string;
    };
    assert.deepEqual(batch.results, { running: 0, succeeded: many, failed: 0, cancelled: 0, unknown: 0 });
    assert.ok(batch.endedAt);
    const { value } = (await stack.api.call('GET', '/v1/investigations?outcome=succeeded&limit=100'))
      .body as { value: unknown[] };
    assert.equal(value.length, many);
    const followed = (await stack.control.allReads()).filter(({ url }) => !url.includes('/alerts'));
    assert.ok(followed.length <= 10, `${followed.length} reads for ${ids.length} results`);
  });
});
