import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../../test-support/credentials.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';

describe('POST /session that must not be', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('refuses a key that may not read', async () => {
    const response = await intake
      .anonymously()
      .post('/session')
      .set('Origin', intake.url)
      .send({ apiKey: keys.submitter });
    expectProblem(response, 'forbidden');
    assert.equal(response.headers['set-cookie'], undefined);
  });

  const origins: [string, Record<string, string>][] = [
    ['from a page of another site', { Origin: 'https://evil.example' }],
    ['from a page of another port', { Origin: 'http://127.0.0.1:1' }],
    ['from a page without an origin', { Origin: 'null' }],
    ['that names no origin', {}],
    [
      'that names a host which no trusted proxy told',
      { Origin: 'https://a.example', 'X-Forwarded-Host': 'a.example' },
    ],
  ];
  for (const [name, headers] of origins) {
    it(`refuses one ${name}, unread`, async () => {
      const response = await intake.anonymously().post('/session').set(headers).send({ apiKey: keys.reader });
      expectProblem(response, 'cross_site');
      assert.equal(response.headers['set-cookie'], undefined);
    });
  }
});
