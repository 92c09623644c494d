import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { signIn } from '../../test-support/sign-in.ts';

describe('DELETE /session from a page of another site', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('is refused, and the session goes on', async () => {
    const cookie = await signIn(intake, 'reader');
    const response = await intake
      .anonymously()
      .delete('/session')
      .set('Cookie', cookie)
      .set('Origin', 'https://evil.example');
    expectProblem(response, 'cross_site');
    await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(200);
  });
});
