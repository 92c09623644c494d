import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { itRefusesTheScopeOf } from '../../test-support/refusals.ts';

describe('POST /v1/investigations/purge without the scope', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesTheScopeOf(intake, 'playbook', {
    method: 'post',
    path: '/v1/investigations/purge',
    body: { caller: 'soar' },
  });
});
