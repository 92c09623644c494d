import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';
import { itRefusesStrangers } from '../../test-support/refusals.ts';

describe('POST /v1/investigations/{id}/retry without a credential', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesStrangers(intake, { method: 'post', path: `/v1/investigations/${unknownId}/retry` });
});
