import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { startCuttingProxy, type CuttingProxy } from '@diq/testing/cutting-proxy.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { ItemAnswer } from '@diq/contracts/item-answer.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { postOnce } from '../test-support/replays.ts';

interface Reply {
  id: string;
  counts: Record<string, number>;
  items: ItemAnswer[];
}

/** Two scripts of acceptance, and a part of jobs. */
const batchSize = 300;

describe('a POST repeated with its Idempotency-Key after Redis was cut off in the middle of it', () => {
  const redis = useEmbeddedRedis();
  let proxy: CuttingProxy;
  before(async () => {
    proxy = await startCuttingProxy(Number(new URL(redis.url).port));
  });
  const intake = useIntake({
    get url() {
      return `redis://127.0.0.1:${proxy.port}`;
    },
  });
  after(() => proxy.close());

  let next = 0;
  let brokenOff = 0;

  /** Repeats as a client does after a Retry-After, until all is accepted. */
  async function postUntilAccepted(path: string, body: object, key: string) {
    return await waitFor(
      async () => {
        const response = await postOnce(intake, path, body, key);
        if (response.status === 202) return response;
        brokenOff += 1;
        assert.ok([409, 503].includes(response.status), response.text);
        return undefined;
      },
      { what: `${path} to be accepted`, timeoutMs: 15_000 },
    );
  }

  /** Asked again while the connection that was cut comes back. */
  async function tasksOf(machines: ReadonlySet<string>): Promise<string[]> {
    const tasks = await waitFor(
      async () => intake.tasks.jobPrioritiesOf(await intake.tasks.waitingPage(0, 100_000)),
      { what: 'the connection to come back' },
    );
    return tasks.filter((one) => machines.has(one.machineId)).map((one) => one.taskId);
  }

  for (const swallow of ['request', 'reply'] as const) {
    for (const bytes of [1_000, 20_000, 80_000, 130_000, 190_000]) {
      it(`completes a batch and doubles nothing (${swallow} lost after ${bytes} bytes)`, async () => {
        const numbers = Array.from({ length: batchSize }, () => (next += 1));
        const requestsBefore = (await redis.client.keys('*:request:*')).length;
        const key = randomUUID();
        void proxy.cutAfter(bytes, swallow);
        const body = { requests: [...numbers.map((number) => item(number)), { comment: 'no machine' }] };
        const { id, counts, items } = (await postUntilAccepted('/v1/batches', body, key)).body as Reply;
        proxy.spare();

        assert.deepEqual(counts, { accepted: batchSize, coalesced: 0, rejected: 1 });
        const requestKeys = await redis.client.keys('*:request:*');
        assert.equal(requestKeys.length - requestsBefore, batchSize, 'one request per item');
        const tasks = await tasksOf(new Set(numbers.map(machineId)));
        assert.equal(tasks.length, batchSize, 'one task per machine');
        assert.ok((await intake.jobs.have(tasks)).every(Boolean), 'with a job');
        const batch = (await waitForAnswer(`/v1/batches/${id}`)) as Reply;
        assert.deepEqual([batch.counts['total'], batch.counts['queued']], [batchSize + 1, batchSize]);
        const page = (await waitForAnswer(`/v1/batches/${id}/items?limit=1000`)) as { value: unknown[] };
        const answered = items.map((answer) => (answer.status === 'rejected' ? undefined : answer.id));
        assert.deepEqual(
          page.value.map((entry) => (entry as { id?: string }).id),
          answered,
        );
      }).timeout(30_000);
    }
  }

  async function waitForAnswer(path: string): Promise<unknown> {
    return (await intake.get(path).expect(200)).body as unknown;
  }

  it('records one request, whichever command or answer was lost', async () => {
    for (const swallow of ['request', 'reply'] as const) {
      for (const bytes of [1, 400, 800, 1_200, 1_600, 2_000]) {
        const number = (next += 1);
        void proxy.cutAfter(bytes, swallow);
        const { body } = await postUntilAccepted('/v1/investigations', item(number), randomUUID());
        proxy.spare();
        const tasks = await tasksOf(new Set([machineId(number)]));
        assert.equal(tasks.length, 1);
        assert.equal((body as { coalescedWith?: string }).coalescedWith, undefined);
      }
    }
  }).timeout(30_000);

  after('the cuts must have hit', () => {
    assert.ok(brokenOff >= 10, `${brokenOff} attempts broke off`);
  });
});
