import { useIntake } from '../../test-support/intake-under-test.ts';
import { redisAway, unknownId } from '../../test-support/items.ts';
import { itAnswers503 } from '../../test-support/refusals.ts';

describe('PATCH /v1/investigations/{id} while Redis is away', () => {
  const intake = useIntake(redisAway);
  itAnswers503(intake, {
    method: 'patch',
    path: `/v1/investigations/${unknownId}`,
    body: { priority: 'high' },
  });
});
