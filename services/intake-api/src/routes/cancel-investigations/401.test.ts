import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { itRefusesStrangers } from '../../test-support/refusals.ts';

describe('POST /v1/investigations/cancel without a credential', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesStrangers(intake, { method: 'post', path: '/v1/investigations/cancel', body: { source: 'soar' } });
});
