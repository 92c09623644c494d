import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { writePosition } from '../http/cursor.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import type { BatchDocument } from '@diq/contracts/batch-document.ts';

interface Page {
  value: BatchDocument[];
  nextLink?: string;
}

describe('GET /v1/batches', () => {
  const intake = useIntake(useEmbeddedRedis());
  let ids: string[] = [];

  before(async () => {
    const submit = async (requests: object[], defaults: object) =>
      ((await intake.post('/v1/batches', { requests, defaults }).expect(202)).body as { id: string }).id;
    ids = [
      await submit([item(1), item(2), { ...item(3), machineId: 'ws-3' }], {
        source: 'a & b',
        correlation: { incident: 'INC 1&2' },
      }),
      await submit([item(11)], { source: 'other', correlation: { incident: 'INC-2', 'case.id': '7' } }),
      await submit([item(21)], { source: 'a & b' }),
    ];
    await intake.as('operator', 'delete', `/v1/batches/${ids[1]}`).expect(200);
  });

  const get = async (path: string) => (await intake.as('reader', 'get', path).expect(200)).body as Page;
  async function walk(query: string) {
    const found: number[] = [];
    let path: string | undefined = `/v1/batches?${query}`;
    while (path !== undefined) {
      const page: Page = await get(path);
      found.push(...page.value.map(({ id }) => ids.indexOf(id)));
      path = page.nextLink;
    }
    return found;
  }

  it('tells each with its counts, as where it is asked for by itself', async () => {
    const { value, nextLink } = await get('/v1/batches');
    assert.equal(nextLink, undefined);
    for (const [i, listed] of value.entries()) {
      const { body } = await intake.get(`/v1/batches/${ids[2 - i]}`).expect(200);
      const { expectedCompletionAt: _, ...batch } = body as BatchDocument;
      assert.deepEqual(listed, batch);
    }
    assert.deepEqual(
      value.map(({ status, completedAt }) => [status, completedAt !== undefined]),
      [
        ['running', false],
        ['completed', true],
        ['running', false],
      ],
    );
    assert.equal(value[2]?.counts.rejected, 1);
  });

  const filters: [query: string, expected: number[]][] = [
    ['', [2, 1, 0]],
    ['status=running', [2, 0]],
    ['status=completed', [1]],
    ['source=a%20%26%20b', [2, 0]],
    ['correlation.incident=INC%201%262', [0]],
    ['correlation.incident=INC-2&correlation.case.id=7', [1]],
    ['source=a%20%26%20b&correlation.incident=INC-2', []],
    ['from=2026-01-01T00:00:00Z&source=other', [1]],
    ['to=2026-01-01T00:00:00Z', []],
  ];
  for (const [query, expected] of filters) {
    it(`finds ${expected.length} by '${query}', on one page or on many`, async () => {
      assert.deepEqual(await walk(query), expected);
      assert.deepEqual(await walk(`${query}&limit=1`), expected);
    });
  }

  const faults: [query: string, path: string][] = [
    ['status=queued', 'status'],
    ['source=', 'source'],
    ['correlation.=1', 'correlation.'],
    ['from=2027-01-01T00:00:00Z&to=2026-01-01T00:00:00Z', 'to'],
    ['limit=501', 'limit'],
    [`cursor=${writePosition('4')}`, 'cursor'],
    [`machineId=${machineId(1)}`, 'machineId'],
  ];
  for (const [query, path] of faults) {
    it(`refuses ${query.slice(0, 30)} and names ${path}`, async () => {
      const { errors } = expectProblem(await intake.get(`/v1/batches?${query}`), 'invalid_request');
      assert.deepEqual(
        errors?.map((fault) => fault.path),
        [path],
      );
    });
  }
});
