import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';
import { itRefusesReusedKeys } from '../../test-support/replays.ts';

describe('POST /v1/investigations with an Idempotency-Key of another request', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesReusedKeys(intake, '/v1/investigations', (number: number) => item(number));
});
