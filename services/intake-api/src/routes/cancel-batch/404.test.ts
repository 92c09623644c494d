import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { itKnowsNo } from '../../test-support/refusals.ts';

describe('DELETE /v1/batches/{id} for an unknown id', () => {
  const intake = useIntake(useEmbeddedRedis());
  itKnowsNo(intake, 'batch_not_found', (id) => `/v1/batches/${id}`, { method: 'delete' });
});
