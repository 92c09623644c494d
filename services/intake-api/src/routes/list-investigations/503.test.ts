import { useIntake } from '../../test-support/intake-under-test.ts';
import { redisAway } from '../../test-support/items.ts';
import { itAnswers503 } from '../../test-support/refusals.ts';

describe('GET /v1/investigations while Redis is away', () => {
  const intake = useIntake(redisAway);
  itAnswers503(intake, { method: 'get', path: '/v1/investigations' });
});
