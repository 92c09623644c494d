import { useIntake } from '../../test-support/intake-under-test.ts';
import { redisAway, unknownId } from '../../test-support/items.ts';
import { itAnswers503 } from '../../test-support/refusals.ts';

describe('DELETE /v1/batches/{id} while Redis is away', () => {
  const intake = useIntake(redisAway);
  itAnswers503(intake, { method: 'delete', path: `/v1/batches/${unknownId}` });
});
