import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { scopes } from '../config/callers.ts';
import { keySetting, keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, redisAway } from '../test-support/items.ts';
import { listenToEvents } from '../test-support/listen-to-events.ts';
import { signIn } from '../test-support/sign-in.ts';

const signedOut = {
  signInNeeded: true,
  caller: null,
  displayName: null,
  scopes: [],
  endsAt: null,
  entra: false,
};

describe('GET /session', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);
  const open = useIntake(redis, { INTAKE_AUTH: 'off' });

  it('tells a browser without a session to sign in', async () => {
    const response = await intake.anonymously().get('/session').expect(200);
    assert.deepEqual(response.body, signedOut);
    assert.equal(response.headers['cache-control'], 'no-store');
  });

  it('tells who is signed in, and until when', async () => {
    const cookie = await signIn(intake, 'reader');
    const { body } = await intake.anonymously().get('/session').set('Cookie', cookie).expect(200);
    const { endsAt, ...rest } = body as { endsAt: string };
    assert.deepEqual(rest, {
      signInNeeded: false,
      caller: 'reader',
      displayName: 'reader',
      scopes: ['read'],
      entra: false,
    });
    assert.ok(Math.abs(Date.parse(endsAt) - Date.now() - 8 * 3_600_000) < 60_000);
  });

  it('says that no sign-in is needed where every caller is let in', async () => {
    const { body } = await open.anonymously().get('/session').expect(200);
    assert.deepEqual(body, { ...signedOut, signInNeeded: false, scopes });
  });
});

describe('GET /session once the key is gone from the file of keys', () => {
  const file: { path: string; folder: string } = { path: '', folder: '' };
  before(async () => {
    file.folder = await mkdtemp(join(tmpdir(), 'diq-keys-'));
    file.path = join(file.folder, 'keys');
    await writeFile(file.path, keySetting.replaceAll(',', '\n'));
  });
  after(() => rm(file.folder, { recursive: true }));
  const intake = useIntake(
    useEmbeddedRedis(),
    {
      get INTAKE_API_KEYS_FILE() {
        return file.path;
      },
    },
    { keyFileIntervalMs: 5 },
  );

  it('tells the browser to sign in again, as every other route does', async () => {
    const cookie = await signIn(intake, 'reader');
    await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(200);
    await writeFile(file.path, keySetting.replaceAll(',', '\n').replace(/reader:.*\n/, ''));
    const ask = () => intake.anonymously().get('/session').set('Cookie', cookie);
    while (!((await ask()).body as { signInNeeded: boolean }).signInNeeded);
    await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(401);
  });
});

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
      /^diq-session=playbook~acting~[\w-]{43}; Max-Age=(28800|28799); Path=\/; HttpOnly; SameSite=Strict$/,
    );
    assert.equal(cookie.includes(keys.playbook), false);
  });

  it('ends the session that the browser had before', async () => {
    const before = await signIn(intake, 'reader');
    const response = await intake
      .anonymously()
      .post('/session')
      .set({ Origin: intake.url, Cookie: before })
      .send({ apiKey: keys.playbook });
    const cookie = cookiesOf(response)[0]?.split(';')[0] ?? '';
    await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(200);
    await intake.anonymously().get('/v1/quota').set('Cookie', before).expect(401);
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

  it('lets the browser act as the key may, from the own page', async () => {
    const cookie = await signIn(intake, 'operator');
    const act = (method: 'post' | 'patch' | 'delete', path: string) =>
      intake.anonymously()[method](path).set({ Cookie: cookie, Origin: intake.url });
    const submitted = await act('post', '/v1/investigations').send(item(1)).expect(202);
    const { id } = submitted.body as { id: string };
    await act('patch', `/v1/investigations/${id}`).send({ priority: 'low' }).expect(200);
    await act('delete', `/v1/investigations/${id}`).expect(200);
    await act('post', '/v1/queue/pause').send({ reason: 'a test' }).expect(200);
    await act('post', '/v1/queue/resume').type('json').expect(200);
    const { body } = await intake.anonymously().get('/v1/audit').set('Cookie', cookie).expect(200);
    for (const { by } of (body as { value: { by: string }[] }).value) assert.equal(by, 'operator');
    assert.ok((body as { value: unknown[] }).value.length >= 4);
  });

  it('lets the browser do nothing that the key may not', async () => {
    const cookie = await signIn(intake, 'reader');
    const asked = intake.anonymously().post('/v1/investigations').set({ Cookie: cookie, Origin: intake.url });
    expectProblem(await asked.send(item(1)), 'forbidden');
  });

  it('lets a screen on a wall look for 30 days and do nothing else', async () => {
    const response = await intake
      .anonymously()
      .post('/session')
      .set('Origin', intake.url)
      .send({ apiKey: keys.operator, kiosk: true });
    assert.match(cookiesOf(response)[0] ?? '', /; Max-Age=(2592000|2591999);/);
    const cookie = cookiesOf(response)[0]?.split(';')[0] ?? '';
    const { body } = await intake.anonymously().get('/session').set('Cookie', cookie).expect(200);
    assert.deepEqual((body as { scopes: string[] }).scopes, ['read']);
    await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(200);
    const pause = intake.anonymously().post('/v1/queue/pause').set({ Cookie: cookie, Origin: intake.url });
    expectProblem(await pause.send({ reason: 'a test' }), 'forbidden');
  });

  it('keeps from a screen on a wall what was collected from machines', async () => {
    const response = await intake
      .anonymously()
      .post('/session')
      .set('Origin', intake.url)
      .send({ apiKey: keys.operator, kiosk: true });
    const ofScreen = cookiesOf(response)[0]?.split(';')[0] ?? '';
    const { body } = await intake
      .anonymously()
      .post('/v1/investigations')
      .set('X-API-Key', keys.operator)
      .send(item(1))
      .expect(202);
    for (const file of ['package', 'results/0']) {
      const fetchBy = (cookie: string) =>
        intake
          .anonymously()
          .get(`/v1/requests/${(body as { id: string }).id}/${file}`)
          .set('Cookie', cookie);
      expectProblem(await fetchBy(ofScreen), 'forbidden');
      expectProblem(await fetchBy(await signIn(intake, 'operator')), 'result_not_found');
    }
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

describe('POST /session with a body that says no key', () => {
  const intake = useIntake(useEmbeddedRedis());
  const bodies: [string, unknown][] = [
    ['nothing in it', {}],
    ['an empty key', { apiKey: '' }],
    ['a key that is no text', { apiKey: 7 }],
    ['a key that is far too long', { apiKey: 'k'.repeat(513) }],
    ['a kiosk that is neither', { apiKey: 'k', kiosk: 'yes' }],
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
      'that names a host which no trusted proxy gave',
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

describe('POST /session while Redis is away', () => {
  const intake = useIntake(redisAway);

  it('answers 503, and gives no session that is not stored', async () => {
    const response = await intake
      .anonymously()
      .post('/session')
      .set('Origin', intake.url)
      .send({ apiKey: keys.reader });
    expectProblem(response, 'redis_unavailable');
  });
});

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

  it('ends those of http and of https alike: the browser brings both, and is signed in by either', async () => {
    const [plain, other] = [await signIn(intake, 'reader'), await signIn(intake, 'reader')];
    const secure = other.replace('diq-session', '__Host-diq-session');
    const response = await intake
      .anonymously()
      .delete('/session')
      .set('Cookie', `${plain}; ${secure}`)
      .set('Origin', intake.url.replace('http:', 'https:'))
      .expect(204);
    assert.deepEqual(
      (response.headers['set-cookie'] as unknown as string[]).map((cookie) => cookie.split(';')[0]),
      ['__Host-diq-session=', 'diq-session='],
    );
    for (const cookie of [plain, secure])
      await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(401);
  });

  it('is content where there is no session', async () => {
    await signOut('').expect(204);
    await signOut('diq-session=nonsense').expect(204);
  });
});

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
