import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { itRefusesOtherMethods } from '../../test-support/refusals.ts';

describe('POST /v1/investigations/purge with another method', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesOtherMethods(intake, '/v1/investigations/purge', 'POST');
});
