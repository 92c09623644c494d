import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';
import { itRefusesTheScopeOf } from '../../test-support/refusals.ts';

describe('DELETE /v1/batches/{id} without the scope', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesTheScopeOf(intake, 'reader', { method: 'delete', path: `/v1/batches/${unknownId}` });
});
