import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { definitions } from '../routes/index.ts';
import { keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { unknownId } from '../test-support/items.ts';
import { signIn } from '../test-support/sign-in.ts';

const changes = definitions.filter(({ scope, method }) => scope !== undefined && method !== 'get');

describe('a change by a session', () => {
  const intake = useIntake(useEmbeddedRedis());
  let cookie: string;
  before(async () => {
    cookie = await signIn(intake, 'operator');
  });

  for (const { method, path } of changes) {
    const ask = (headers: Record<string, string>) => {
      const asked = intake.anonymously()[method](path.replace(':id', unknownId).replace(':index', '0'));
      return asked.set({ Cookie: cookie, 'Content-Type': 'application/json', ...headers });
    };

    it(`needs the own origin: ${method} ${path}`, async () => {
      for (const headers of [{}, { 'Sec-Fetch-Site': 'same-origin' }, { Origin: 'https://evil.example' }]) {
        expectProblem(await ask(headers), 'cross_site');
      }
    });

    it(`needs an own name, so that no foreign one can lead here: ${method} ${path}`, async () => {
      const evil = { Host: 'evil.example', Origin: 'http://evil.example' };
      expectProblem(await ask(evil), 'foreign_host');
    });

    if (method !== 'delete') {
      it(`needs a type that no form sends, also without a body: ${method} ${path}`, async () => {
        for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
          expectProblem(await ask({ Origin: intake.url, 'Content-Type': type }), 'unsupported_media_type');
        }
      });
    }
  }

  it('needs none of these where the request has a credential of its own', async () => {
    const asked = intake.anonymously().post('/v1/queue/resume').set('X-API-Key', keys.operator);
    await asked.set({ Cookie: cookie, Host: 'other.example' }).expect(200);
  });

  it('is refused once the session is over', async () => {
    const over = await signIn(intake, 'operator');
    await intake.anonymously().delete('/session').set({ Cookie: over, Origin: intake.url }).expect(204);
    const asked = intake.anonymously().post('/v1/queue/pause').set({ Cookie: over, Origin: intake.url });
    expectProblem(await asked.send({ reason: 'a test' }), 'unauthenticated');
    const { body } = await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(200);
    assert.equal((body as { pause?: unknown }).pause ?? null, null);
  });
});
