import { useIntake } from '../../test-support/intake-under-test.ts';
import { redisAway } from '../../test-support/items.ts';
import { itAnswers503 } from '../../test-support/refusals.ts';

describe('POST /v1/investigations/purge while Redis is away', () => {
  const intake = useIntake(redisAway);
  itAnswers503(intake, { method: 'post', path: '/v1/investigations/purge', body: { caller: 'soar' } });
});
