import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { writePosition } from '../http/cursor.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { unknownId } from '../test-support/items.ts';

interface Page {
  value: { id: string; at: string; action: string; by: string; reason?: string }[];
  nextLink?: string;
}

describe('GET /v1/audit', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('tells who did what, when and why, newest first, in pages', async () => {
    for (const reason of ['one', 'two', 'three']) {
      await intake.as('operator', 'post', '/v1/queue/pause', { reason }).expect(200);
    }
    const found: Page['value'] = [];
    let path: string | undefined = '/v1/audit?limit=2';
    while (path !== undefined) {
      const page: Page = (await intake.as('operator', 'get', path).expect(200)).body as Page;
      assert.ok(page.value.length <= 2);
      found.push(...page.value);
      path = page.nextLink;
    }
    assert.deepEqual(
      found.map(({ action, by, reason }) => [action, by, reason]),
      ['three', 'two', 'one'].map((reason) => ['pause', 'operator', reason]),
    );
    for (const { at } of found) assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
  });
});

describe('GET /v1/audit with a faulty query', () => {
  const intake = useIntake(useEmbeddedRedis());

  for (const query of ['limit=0', 'limit=501', 'cursor=x', `cursor=${writePosition(unknownId)}`, 'by=anna']) {
    it(`refuses ${query.slice(0, 20)}`, async () => {
      const response = await intake.as('operator', 'get', `/v1/audit?${query}`);
      assert.equal(expectProblem(response, 'invalid_request').errors?.length, 1);
    });
  }
});
