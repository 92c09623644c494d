import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../../test-support/credentials.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';

describe('POST /session with a form', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('refuses what a page of another site could send without being asked first', async () => {
    const response = await intake
      .anonymously()
      .post('/session')
      .set('Origin', intake.url)
      .type('form')
      .send({ apiKey: keys.reader });
    expectProblem(response, 'unsupported_media_type');
  });
});
