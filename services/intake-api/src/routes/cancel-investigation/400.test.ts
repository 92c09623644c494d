import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';

describe('DELETE /v1/investigations/{id} with a faulty query', () => {
  const intake = useIntake(useEmbeddedRedis());

  for (const query of ['reason=', `reason=${'x'.repeat(501)}`, 'reason=a&reason=b', 'why=x']) {
    it(`refuses ${query.slice(0, 20)}`, async () => {
      const response = await intake.as('operator', 'delete', `/v1/investigations/${unknownId}?${query}`);
      assert.equal(expectProblem(response, 'invalid_request').errors?.length, 1);
    });
  }
});
