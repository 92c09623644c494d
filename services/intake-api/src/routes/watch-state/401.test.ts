import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { itRefusesStrangers } from '../../test-support/refusals.ts';

describe('GET /v1/events without a credential', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesStrangers(intake, { method: 'get', path: '/v1/events' });
});
