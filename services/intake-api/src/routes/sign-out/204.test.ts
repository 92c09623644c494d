import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { listenToEvents } from '../../test-support/listen-to-events.ts';
import { signIn } from '../../test-support/sign-in.ts';

describe('DELETE /session', () => {
  const intake = useIntake(useEmbeddedRedis());
  const signOut = (cookie: string) =>
    intake.anonymously().delete('/session').set('Cookie', cookie).set('Origin', intake.url);

  it('ends the session for good, and takes the cookie back', async () => {
    const cookie = await signIn(intake, 'reader');
    const response = await signOut(cookie);
    assert.equal(response.status, 204);
    assert.match(response.headers['set-cookie']?.[0] ?? '', /^diq-session=; Max-Age=0; Path=\/; HttpOnly/);
    const refused = await intake.anonymously().get('/v1/quota').set('Cookie', cookie);
    expectProblem(refused, 'unauthenticated');
  });

  it('ends the event streams of the session within seconds, and those of no other', async () => {
    const [cookie, other] = [await signIn(intake, 'reader'), await signIn(intake, 'reader')];
    const readers = [
      await listenToEvents(intake.url, { Cookie: cookie }),
      await listenToEvents(intake.url, { Cookie: other }),
    ] as const;
    await signOut(cookie).expect(204);
    await readers[0].ended();
    await readers[1].next('state');
    await readers[1].close();
  }).timeout(20_000);

  it('is content where there is no session', async () => {
    await signOut('').expect(204);
    await signOut('diq-session=nonsense').expect(204);
  });
});
