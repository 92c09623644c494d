import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';

describe('POST /v1/investigations/{id}/retry and move-to-head with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('refuse what they do not know', async () => {
    for (const action of ['retry', 'move-to-head']) {
      const path = `/v1/investigations/${unknownId}/${action}`;
      expectProblem(await intake.as('operator', 'post', path, { reason: 7 }), 'invalid_request');
      expectProblem(await intake.as('operator', 'post', path, { priority: 'high' }), 'invalid_request');
    }
  });
});
