import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';
import { itRefusesOtherMethods } from '../../test-support/refusals.ts';

describe('GET /v1/batches/{id} with another method', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesOtherMethods(intake, `/v1/batches/${unknownId}`, 'GET, HEAD, DELETE');
});
