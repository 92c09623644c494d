import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';

describe('POST /v1/queue/resume with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('refuses what it does not know', async () => {
    for (const body of [{ reason: '' }, { until: 'now' }, []]) {
      expectProblem(await intake.as('operator', 'post', '/v1/queue/resume', body), 'invalid_request');
    }
  });
});
