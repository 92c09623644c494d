import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../../test-support/credentials.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, unknownId } from '../../test-support/items.ts';
import { signIn } from '../../test-support/sign-in.ts';

describe('POST /session', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);
  const proxied = useIntake(redis, {
    INTAKE_TRUSTED_PROXIES: 'loopback',
    INTAKE_HOST_NAMES: 'queue.example',
  });
  const listed = useIntake(redis, { INTAKE_HOST_NAMES: 'queue.example' });
  const open = useIntake(redis, { INTAKE_AUTH: 'off' });

  const cookiesOf = ({ headers }: { headers: Record<string, string> }) =>
    (headers['set-cookie'] ?? []) as unknown as string[];

  it('gives a cookie that no script reads, no other site sends, and that does not hold the key', async () => {
    const response = await intake
      .anonymously()
      .post('/session')
      .set('Origin', intake.url)
      .send({ apiKey: keys.playbook });
    assert.equal(response.status, 204);
    assert.equal(response.headers['cache-control'], 'no-store');
    const [cookie = '', ...others] = cookiesOf(response);
    assert.deepEqual(others, []);
    assert.match(
      cookie,
      /^diq-session=playbook~[\w-]{43}; Max-Age=(28800|28799); Path=\/; HttpOnly; SameSite=Strict$/,
    );
    assert.equal(cookie.includes(keys.playbook), false);
  });

  it('gives a cookie for https only, and for this host only, where a trusted proxy says that it was asked over https', async () => {
    const response = await proxied
      .anonymously()
      .post('/session')
      .set({
        Origin: 'https://queue.example',
        'X-Forwarded-Host': 'queue.example',
        'X-Forwarded-Proto': 'https',
      })
      .send({ apiKey: keys.reader });
    assert.equal(response.status, 204);
    assert.match(cookiesOf(response)[0] ?? '', /^__Host-diq-session=.*; SameSite=Strict; Secure$/);
  });

  it('gives the same where the browser itself asks over https, through a proxy that is not counted', async () => {
    const response = await listed
      .anonymously()
      .post('/session')
      .set('Origin', 'https://queue.example')
      .send({ apiKey: keys.reader });
    assert.equal(response.status, 204);
    const [cookie = ''] = cookiesOf(response);
    assert.match(cookie, /^__Host-diq-session=.*; SameSite=Strict; Secure$/);
    const pair = cookie.split(';')[0] ?? '';
    await listed.anonymously().get('/v1/quota').set('Cookie', pair).expect(200);
    const out = await listed
      .anonymously()
      .delete('/session')
      .set({ Cookie: pair, Origin: 'https://queue.example' });
    assert.match(cookiesOf(out)[0] ?? '', /^__Host-diq-session=; Max-Age=0;.*; Secure$/);
    await listed.anonymously().get('/v1/quota').set('Cookie', pair).expect(401);
  });

  it('lets the browser look', async () => {
    const cookie = await signIn(intake, 'playbook');
    for (const path of ['/v1/quota', '/v1/investigations']) {
      await intake.anonymously().get(path).set('Cookie', `other=1; ${cookie}`).expect(200);
    }
    const { body } = await intake.anonymously().get('/session').set('Cookie', cookie).expect(200);
    assert.equal((body as { caller: string }).caller, 'playbook');
  });

  it('lets the browser do nothing else, even where the key may', async () => {
    const cookie = await signIn(intake, 'operator');
    const changes = [
      ['post', '/v1/investigations', item(1)],
      ['post', '/v1/batches', { requests: [item(1)] }],
      ['post', '/v1/queue/pause', {}],
      ['patch', `/v1/investigations/${unknownId}`, { priority: 'low' }],
      ['delete', `/v1/investigations/${unknownId}`, {}],
    ] as const;
    for (const [method, path, body] of changes) {
      const asked = intake.anonymously()[method](path).set({ Cookie: cookie, Origin: intake.url });
      const response = await asked.send(body);
      expectProblem(response, 'unauthenticated');
    }
    expectProblem(await intake.anonymously().get('/v1/audit').set('Cookie', cookie), 'forbidden');
  });

  it('takes a credential that is sent beside the cookie for what it is', async () => {
    const cookie = await signIn(intake, 'playbook');
    const response = await intake
      .anonymously()
      .get('/v1/quota')
      .set({ Cookie: cookie, 'X-API-Key': 'wrong' });
    expectProblem(response, 'unauthenticated');
  });

  it('gives no cookie where everybody is let in', async () => {
    const response = await open
      .anonymously()
      .post('/session')
      .set('Origin', open.url)
      .send({ apiKey: 'any' });
    assert.equal(response.status, 204);
    assert.deepEqual(cookiesOf(response), []);
  });
});
