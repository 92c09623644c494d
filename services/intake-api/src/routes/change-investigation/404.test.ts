import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { itKnowsNo } from '../../test-support/refusals.ts';

describe('PATCH /v1/investigations/{id} for an unknown id', () => {
  const intake = useIntake(useEmbeddedRedis());
  itKnowsNo(intake, 'request_not_found', (id) => `/v1/investigations/${id}`, {
    method: 'patch',
    body: { priority: 'high' },
  });
});
