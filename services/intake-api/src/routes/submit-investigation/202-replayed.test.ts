import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';
import { itReplays } from '../../test-support/replays.ts';

describe('POST /v1/investigations with an Idempotency-Key', () => {
  const intake = useIntake(useEmbeddedRedis());
  itReplays(intake, '/v1/investigations', (number: number) => item(number));
});
