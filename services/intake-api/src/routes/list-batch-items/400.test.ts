import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

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
