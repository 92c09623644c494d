import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { itRefusesStrangers } from '../../test-support/refusals.ts';

describe('POST /v1/investigations/purge without a credential', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesStrangers(intake, { method: 'post', path: '/v1/investigations/purge', body: { caller: 'soar' } });
});
