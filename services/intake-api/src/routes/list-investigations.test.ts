import assert from 'node:assert/strict';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { writePosition } from '../http/cursor.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId, unknownId } from '../test-support/items.ts';
import { makeCall } from '../test-support/worker-moves.ts';

interface Page {
  value: RequestDocument[];
  nextLink?: string;
}

describe('GET /v1/investigations', () => {
  const intake = useIntake(useEmbeddedRedis());
  let batchId = '';
  let ids: string[] = [];

  before(async () => {
    const requests = [1, 2, 1, 3, 4].map((number) =>
      item(number, {
        source: number < 3 ? 'soar & more' : 'other',
        priority: number === 2 ? 'high' : 'medium',
        correlation: { incident: `INC ${number}&1`, 'case.id': number < 3 ? 'A' : 'B' },
      }),
    );
    const { body } = await intake.post('/v1/batches', { requests }).expect(202);
    const batch = body as { id: string; items: { id: string }[] };
    batchId = batch.id;
    ids = batch.items.map(({ id }) => id);
    await makeCall(intake, machineId(3), {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
    const single = await intake.post('/v1/investigations', item(5)).expect(202);
    ids.push((single.body as RequestDocument).id);
  });

  const get = async (path: string) => (await intake.as('reader', 'get', path).expect(200)).body as Page;
  /** Input order of what all pages hold. */
  async function walk(query: string) {
    const found: number[] = [];
    let path: string | undefined = `/v1/investigations?${query}`;
    while (path !== undefined) {
      const page: Page = await get(path);
      found.push(...page.value.map(({ id }) => ids.indexOf(id)));
      path = page.nextLink;
    }
    return found;
  }

  it('tells all requests, newest first, as documents', async () => {
    const { value, nextLink } = await get('/v1/investigations');
    assert.deepEqual(
      value.map(({ id }) => id),
      ids.toReversed(),
    );
    assert.equal(nextLink, undefined);
    assert.deepEqual(
      value.map(({ endedAt }) => endedAt !== undefined),
      value.map(({ status }) => status === 'started'),
    );
    const started = value.find(({ id }) => id === ids[3]);
    assert.deepEqual(
      [started?.status, started?.investigationId, started?.batchId],
      ['started', '5146', batchId],
    );
  });

  const filters: [query: () => string, expected: number[]][] = [
    [() => 'status=queued', [5, 4, 2, 1, 0]],
    [() => 'status=started', [3]],
    [() => `machineId=${machineId(1).toUpperCase()}`, [2, 0]],
    [() => `machineId=${machineId(9)}`, []],
    [() => `batchId=${batchId}`, [4, 3, 2, 1, 0]],
    [() => 'source=soar%20%26%20more', [2, 1, 0]],
    [() => `batchId=${batchId}&status=queued&source=other`, [4]],
    [() => `machineId=${machineId(1)}&batchId=${batchId}`, [2, 0]],
    [() => 'status=started&status=queued', [5, 4, 3, 2, 1, 0]],
    [() => 'status=started&status=cancelled&status=started', [3]],
    [() => 'priority=high', [1]],
    [() => 'priority=medium&status=queued&source=other', [4]],
    [() => 'correlation.incident=INC%201%261', [2, 0]],
    [() => 'correlation.case.id=A', [2, 1, 0]],
    [() => 'correlation.case.id=A&correlation.incident=INC%201%261', [2, 0]],
    [() => 'correlation.case.id=B&status=queued&status=failed', [4]],
    [() => 'correlation.case=A', []],
    [() => `from=${new Date(Date.now() + 60_000).toISOString()}`, []],
    [
      () => `from=2026-01-01T00:00:00Z&to=${encodeURIComponent('2099-01-01T00:00:00+01:00')}`,
      [5, 4, 3, 2, 1, 0],
    ],
    [() => 'to=2026-01-01T00:00:00Z', []],
  ];
  for (const [query, expected] of filters) {
    it(`finds ${expected.length} by ${query().replace(/=[0-9a-fA-F-]{30,}/g, '')}, on one page or on many`, async () => {
      assert.deepEqual(await walk(query()), expected);
      assert.deepEqual(await walk(`${query()}&limit=1`), expected);
      assert.deepEqual(await walk(`${query()}&limit=500`), expected);
    });
  }
});

describe('GET /v1/investigations with a faulty query', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [query: string, path: string][] = [
    ['status=waiting', 'status'],
    ['source=victim%00z', 'source'],
    ['source=a%0Ab', 'source'],
    ['source=a&source=b', 'source'],
    ['status=queued&status=waiting', 'status'],
    ['priority=urgent', 'priority'],
    ['priority=high&priority=low', 'priority'],
    ['correlation=INC-1', 'correlation'],
    ['correlation.=INC-1', 'correlation.'],
    ['correlation.a=1&correlation.a=2', 'correlation.a'],
    ['correlation.__proto__=1', 'correlation.__proto__'],
    [Array.from({ length: 21 }, (_, n) => `correlation.k${n}=1`).join('&'), 'correlation'],
    ['from=yesterday', 'from'],
    ['to=2026-11-30', 'to'],
    ['from=2026-11-30T08:00:00Z&to=2026-11-30T08:00:00Z', 'to'],
    ['machineId=ws-1', 'machineId'],
    ['batchId=*', 'batchId'],
    ['source=', 'source'],
    ['limit=0', 'limit'],
    ['limit=501', 'limit'],
    ['limit=all', 'limit'],
    ['cursor=abc', 'cursor'],
    [`cursor=${writePosition('4')}`, 'cursor'],
    [`batchId=${unknownId}&cursor=${writePosition(unknownId)}`, 'cursor'],
    ['page=2', 'page'],
  ];
  for (const [query, path] of faults) {
    it(`refuses ${query.slice(0, 30)} and names ${path}`, async () => {
      const { errors } = expectProblem(await intake.get(`/v1/investigations?${query}`), 'invalid_request');
      assert.deepEqual(
        errors?.map((fault) => fault.path),
        [path],
      );
    });
  }
});
