import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';
import { itRefusesUnusableKeys } from '../../test-support/replays.ts';

describe('POST /v1/investigations with an Idempotency-Key that is none', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesUnusableKeys(intake, '/v1/investigations', item(1));
});
