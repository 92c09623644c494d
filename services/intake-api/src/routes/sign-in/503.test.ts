import { keys } from '../../test-support/credentials.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { redisAway } from '../../test-support/items.ts';

describe('POST /session while Redis is away', () => {
  const intake = useIntake(redisAway);

  it('answers 503, and gives no session that nobody would know', async () => {
    const response = await intake
      .anonymously()
      .post('/session')
      .set('Origin', intake.url)
      .send({ apiKey: keys.reader });
    expectProblem(response, 'redis_unavailable');
  });
});
