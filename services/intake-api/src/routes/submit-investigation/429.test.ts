import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/investigations for a machine that too many wait for', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('is refused, since one call cannot tell its outcome to any number', async function () {
    this.timeout(20_000);
    const requests = Array.from({ length: 5_001 }, () => item(1));
    await intake.post('/v1/batches', { requests }).expect(202);
    const response = await intake.post('/v1/investigations', item(1));
    expectProblem(response, 'too_many_joined');
  });
});
