import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { writePosition } from '../../http/cursor.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';

describe('GET /v1/audit with a faulty query', () => {
  const intake = useIntake(useEmbeddedRedis());

  for (const query of ['limit=0', 'limit=501', 'cursor=x', `cursor=${writePosition(unknownId)}`, 'by=anna']) {
    it(`refuses ${query.slice(0, 20)}`, async () => {
      const response = await intake.as('operator', 'get', `/v1/audit?${query}`);
      assert.equal(expectProblem(response, 'invalid_request').errors?.length, 1);
    });
  }
});
