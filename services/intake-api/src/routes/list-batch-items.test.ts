import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { makeCall } from '../test-support/worker-moves.ts';

interface Page {
  value: Record<string, unknown>[];
  nextLink?: string;
}

describe('GET /v1/batches/{id}/items', () => {
  const intake = useIntake(useEmbeddedRedis());

  async function submit(requests: unknown[]) {
    const response = await intake.post('/v1/batches', { requests }).expect(202);
    return response.body as { id: string; items: Record<string, unknown>[] };
  }

  async function get(path: string): Promise<Page> {
    return (await intake.get(path).expect(200)).body as Page;
  }

  it('tells each item as it is now, in input order, with refusals in their places', async () => {
    const { id, items } = await submit([item(1), { ...item(2), machineId: 'ws-2' }, item(1), item(3)]);
    await makeCall(intake, machineId(1), {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
    const error = { code: 'machine_not_found', message: 'none such' };
    await makeCall(intake, machineId(3), { status: 'failed', error, attempts: 1 });
    const { value, nextLink } = await get(`/v1/batches/${id}/items`);
    assert.equal(nextLink, undefined);
    const started = { machineId: machineId(1), status: 'started', investigationId: '5146' };
    const ended = async ({ id: requestId }: Record<string, unknown> = {}) => {
      const { body } = await intake.get(`/v1/investigations/${String(requestId)}`).expect(200);
      const { endedAt } = body as { endedAt?: string };
      assert.ok(endedAt);
      return { id: requestId, endedAt };
    };
    assert.deepEqual(value, [
      { index: 0, ...(await ended(items[0])), ...started },
      items[1],
      { index: 2, ...(await ended(items[2])), ...started, coalescedWith: items[0]?.['id'] },
      { index: 3, ...(await ended(items[3])), machineId: machineId(3), status: 'failed', error },
    ]);
  });

  it('leads through all pages once, without a link behind the last', async () => {
    const { id } = await submit(Array.from({ length: 7 }, (_, number) => item(100 + number)));
    const indexes: unknown[] = [];
    const sizes: number[] = [];
    let path: string | undefined = `/v1/batches/${id}/items?limit=3`;
    while (path !== undefined) {
      const page: Page = await get(path);
      indexes.push(...page.value.map(({ index }) => index));
      sizes.push(page.value.length);
      path = page.nextLink;
    }
    assert.deepEqual(indexes, [0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual(sizes, [3, 3, 1]);
  });

  it('gives 100 items where no number is asked for, and up to 1,000', async () => {
    const { id } = await submit(Array.from({ length: 1_001 }, (_, number) => item(1_000 + number)));
    assert.equal((await get(`/v1/batches/${id}/items`)).value.length, 100);
    const page = await get(`/v1/batches/${id}/items?limit=1000`);
    assert.equal(page.value.length, 1_000);
    assert.equal((await get(page.nextLink ?? '')).value.length, 1);
  });
});

describe('GET /v1/batches/{id}/items with a bad query', () => {
  const intake = useIntake(useEmbeddedRedis());
  let path = '';

  before('submit a batch', async () => {
    const { id } = (await intake.post('/v1/batches', { requests: [item(1)] }).expect(202)).body as {
      id: string;
    };
    path = `/v1/batches/${id}/items`;
  });

  const queries: [string, string][] = [
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['cursor=1', 'cursor'],
    ['cursor=', 'cursor'],
    ['cursor=b2Zmc2V0IDAwMQ', 'cursor'],
    ['cursor=b2Zmc2V0IC0x', 'cursor'],
    ['cursor=b2Zmc2V0IDk5OTk5', 'cursor'],
    ['cursor=b2Zmc2V0IDE&cursor=b2Zmc2V0IDE', 'cursor'],
    ['offset=1', 'offset'],
  ];
  for (const [query, field] of queries) {
    it(`refuses ${query} and names the parameter`, async () => {
      const { errors } = expectProblem(await intake.get(`${path}?${query}`), 'invalid_request');
      assert.equal(errors?.[0]?.path, field);
    });
  }
});
