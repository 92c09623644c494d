import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';
import { itRefusesStrangers } from '../../test-support/refusals.ts';

describe('DELETE /v1/batches/{id} without a credential', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesStrangers(intake, { method: 'delete', path: `/v1/batches/${unknownId}` });
});
