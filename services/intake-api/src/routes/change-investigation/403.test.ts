import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';
import { itRefusesTheScopeOf } from '../../test-support/refusals.ts';

describe('PATCH /v1/investigations/{id} without the scope', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesTheScopeOf(intake, 'reader', {
    method: 'patch',
    path: `/v1/investigations/${unknownId}`,
    body: { priority: 'high' },
  });
});
