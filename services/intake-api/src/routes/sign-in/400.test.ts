import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';

describe('POST /session with a body that says no key', () => {
  const intake = useIntake(useEmbeddedRedis());
  const bodies: [string, unknown][] = [
    ['nothing in it', {}],
    ['an empty key', { apiKey: '' }],
    ['a key that is no text', { apiKey: 7 }],
    ['a key that is far too long', { apiKey: 'k'.repeat(513) }],
    ['something beside the key', { apiKey: 'k', user: 'anna' }],
    ['a list', []],
  ];
  for (const [name, body] of bodies) {
    it(`refuses ${name}`, async () => {
      const response = await intake
        .anonymously()
        .post('/session')
        .set('Origin', intake.url)
        .send(body as object);
      expectProblem(response, 'invalid_request');
    });
  }

  it('refuses what is no JSON', async () => {
    expectProblem(await intake.postRaw('/session', '{', { Origin: intake.url }), 'malformed_json');
  });
});
