import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../../test-support/credentials.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';

describe('POST /session with many wrong keys', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('counts them with those of all other routes, and then looks at no more', async () => {
    const ask = (apiKey: string) =>
      intake.anonymously().post('/session').set('Origin', intake.url).send({ apiKey });
    for (let i = 0; i < 15; i += 1) expectProblem(await ask(`wrong-${i}`), 'unauthenticated');
    for (let i = 15; i < 30; i += 1) {
      const response = await intake.anonymously().get('/v1/quota').set('X-API-Key', `wrong-${i}`);
      expectProblem(response, 'unauthenticated');
    }
    const refused = await ask(keys.reader);
    expectProblem(refused, 'rate_limited');
    assert.ok(Number(refused.headers['retry-after']) > 0);
  });
});
