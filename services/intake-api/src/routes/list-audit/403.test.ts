import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { itRefusesTheScopeOf } from '../../test-support/refusals.ts';

describe('GET /v1/audit without the scope', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesTheScopeOf(intake, 'playbook', { method: 'get', path: '/v1/audit' });
});
