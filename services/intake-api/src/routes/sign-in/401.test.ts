import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../../test-support/credentials.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';

describe('POST /session with a wrong key', () => {
  const intake = useIntake(useEmbeddedRedis());
  const signIn = (apiKey: string) =>
    intake.anonymously().post('/session').set('Origin', intake.url).send({ apiKey });

  it('refuses it, gives no cookie and repeats nothing of it', async () => {
    const response = await signIn(`${keys.reader}x`);
    expectProblem(response, 'unauthenticated');
    assert.equal(response.headers['set-cookie'], undefined);
    assert.equal(response.text.includes(keys.reader), false);
    assert.equal(JSON.stringify(intake.log).includes(keys.reader), false);
  });

  it('does not take the digest that stands in the settings for the key', async () => {
    const { createHash } = await import('node:crypto');
    expectProblem(await signIn(createHash('sha256').update(keys.reader).digest('hex')), 'unauthenticated');
  });
});
