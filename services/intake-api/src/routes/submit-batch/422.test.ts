import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';
import { itRefusesReusedKeys } from '../../test-support/replays.ts';

describe('POST /v1/batches with an Idempotency-Key of another request', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesReusedKeys(intake, '/v1/batches', (number: number) => ({
    requests: [item(number), item(number + 100), item(number), 7],
  }));
});
