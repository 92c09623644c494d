import assert from 'node:assert/strict';
import { useIntake, type IntakeUnderTest } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, redisAway } from '@diq/intake-api/test-support/items.ts';
import { signIn } from '@diq/intake-api/test-support/sign-in.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { people, useEntra, type PersonName } from './support/use-entra.ts';

/** What a browser sends and keeps; names with their values. */
type Cookies = Record<string, string>;

interface Answer {
  /** Where it leads. */
  location: string;
  /** What it sets, whole. */
  set: string[];
  cookies: Cookies;
}

const sentAs = (cookies: Cookies) =>
  Object.entries(cookies)
    .map((pair) => pair.join('='))
    .join('; ');

describe('signing in to the status page with Entra ID', () => {
  const redis = useEmbeddedRedis();
  const entra = useEntra();
  const intake = useIntake(redis, entra.env, { entra: entra.trust });
  /** Another one of the same service. */
  const second = useIntake(redis, entra.envOfAnother, { entra: entra.trust });
  const cutOff = useIntake(redisAway, entra.envOfAnother, { entra: entra.trust });

  async function visit(
    path: string,
    cookies: Cookies = {},
    headers: Record<string, string> = {},
    at = intake,
  ) {
    const asked = at
      .anonymously()
      .get(path)
      .set({ Cookie: sentAs(cookies), ...headers });
    const response = await asked.expect(303);
    assert.equal(response.headers['cache-control'], 'no-store');
    const set = (response.headers['set-cookie'] ?? []) as unknown as string[];
    const pairs = set.map((one) => one.split(';')[0]?.split('=') ?? []);
    const answer: Answer = {
      location: response.headers['location'] ?? '',
      set,
      cookies: Object.fromEntries(pairs.filter(([, value]) => value !== '')) as Cookies,
    };
    return answer;
  }

  const begin = (cookies: Cookies = {}) => visit('/session/entra', cookies);
  const back = (url: URL) => url.pathname + url.search;

  /** The whole way, up to where the browser is sent at its end. */
  async function signInAs(person: PersonName | 'cancel', cookies: Cookies = {}): Promise<Answer> {
    const begun = await begin(cookies);
    const returned = await entra.goTo(begun.location, person);
    return visit(back(returned), begun.cookies);
  }

  async function sessionOf(person: PersonName): Promise<string> {
    const { location, cookies } = await signInAs(person);
    assert.equal(location, '/');
    return sentAs(cookies);
  }

  async function sessionAt(at: IntakeUnderTest, cookie: string) {
    const { body } = await at.anonymously().get('/session').set('Cookie', cookie).expect(200);
    return body as Record<string, unknown>;
  }

  it('is offered by GET /session', async () => {
    const { entra: isOffered, signInNeeded } = await sessionAt(intake, '');
    assert.deepEqual([isOffered, signInNeeded], [true, true]);
  });

  it('gives a session of 8 hours with name and roles, as the caller that a token of the person is', async () => {
    const { location, set, cookies } = await signInAs('anna');
    assert.equal(location, '/');
    const [pending = '', session = ''] = set;
    assert.match(pending, /^diq-sign-in=; Max-Age=0; /);
    assert.match(
      session,
      /^diq-session=person:[\w-]+:[\w-]{43}; Max-Age=(28800|28799); Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const { endsAt, scopes, ...rest } = await sessionAt(intake, sentAs(cookies));
    assert.deepEqual(rest, {
      signInNeeded: false,
      caller: `entra:${entra.env['INTAKE_ENTRA_CLIENT_ID']}/${people.anna.oid}`,
      displayName: 'Anna Lind',
      entra: true,
    });
    assert.deepEqual(new Set(scopes as string[]), new Set(['submit', 'read', 'admin']));
    assert.ok(Math.abs(Date.parse(String(endsAt)) - Date.now() - 8 * 3_600_000) < 60_000);
  });

  it('gives a session that every intake knows, and that ends everywhere with signing out', async () => {
    const cookie = await sessionOf('bert');
    const ask = () => second.anonymously().get('/v1/quota').set('Cookie', cookie);
    await ask().expect(200);
    const signedOut = second.anonymously().delete('/session').set({ Cookie: cookie, Origin: second.url });
    await signedOut.expect(204);
    await intake.anonymously().get('/v1/quota').set('Cookie', cookie).expect(401);
  });

  it('makes the person the caller of what is asked, and names the person in the audit', async () => {
    const cookie = await sessionOf('anna');
    const ask = (method: 'get' | 'post' | 'delete', path: string) =>
      intake.anonymously()[method](path).set({ Cookie: cookie, Origin: intake.url });
    const posted = await ask('post', '/v1/investigations').send(item(1)).expect(202);
    await ask('delete', `/v1/investigations/${(posted.body as { id: string }).id}`).expect(200);
    await intake.as('operator', 'post', '/v1/queue/pause', { reason: 'a test' }).expect(200);
    await intake.as('operator', 'post', '/v1/queue/resume').expect(200);
    const { body } = await ask('get', '/v1/audit').expect(200);
    const caller = `entra:${entra.env['INTAKE_ENTRA_CLIENT_ID']}/${people.anna.oid}`;
    assert.deepEqual(
      (body as { value: Record<string, unknown>[] }).value.map((entry) => [
        entry['action'],
        entry['by'],
        entry['displayName'],
      ]),
      [
        ['resume', 'operator', undefined],
        ['pause', 'operator', undefined],
        ['cancel', caller, 'Anna Lind'],
      ],
    );
  });

  it('calls people by the name with which they sign in where there is no other, and bounds and cleans names', async () => {
    assert.equal((await sessionAt(intake, await sessionOf('bert')))['displayName'], 'bert@example.com');
    const name = (await sessionAt(intake, await sessionOf('eve')))['displayName'];
    assert.equal(name, `Eve${'x'.repeat(96)}…`);
  });

  it('ends the session that the browser had', async () => {
    const before = await signIn(intake, 'reader');
    const [name = '', value = ''] = before.split('=');
    const { cookies } = await signInAs('bert', { [name]: value });
    await intake.anonymously().get('/v1/quota').set('Cookie', before).expect(401);
    await intake.anonymously().get('/v1/quota').set('Cookie', sentAs(cookies)).expect(200);
  });

  it('keeps what is pending where scripts and other sites do not reach it, for ten minutes, encrypted', async () => {
    const { location, set } = await begin();
    const [pending = '', ...others] = set;
    assert.deepEqual(others, []);
    assert.match(
      pending,
      /^diq-sign-in=[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    const asked = new URL(location).searchParams;
    for (const name of ['state', 'nonce', 'code_challenge'])
      assert.equal(pending.includes(asked.get(name) ?? '?'), false);
    assert.deepEqual(
      ['response_type', 'scope', 'redirect_uri', 'code_challenge_method', 'prompt'].map((name) =>
        asked.get(name),
      ),
      [
        'code',
        'openid profile',
        `${entra.env['INTAKE_PUBLIC_URL']}/session/entra/callback`,
        'S256',
        'select_account',
      ],
    );
    const again = new URL((await begin()).location).searchParams;
    for (const name of ['state', 'nonce', 'code_challenge'])
      assert.notEqual(again.get(name), asked.get(name));
  });

  it('sends people to the redirect URI of the settings, whatever host they asked', async () => {
    const headers = { Host: 'localhost:9', 'X-Forwarded-Host': 'localhost:9' };
    const { location } = await visit('/session/entra', {}, headers);
    const redirectUri = new URL(location).searchParams.get('redirect_uri');
    assert.equal(redirectUri, `${entra.env['INTAKE_PUBLIC_URL']}/session/entra/callback`);
    await intake.anonymously().get('/session/entra').set('Host', 'evil.example').expect(421);
  });

  it('is not begun by a page of another site', async () => {
    for (const site of ['cross-site', 'same-site']) {
      const { location, set } = await visit('/session/entra', {}, { 'Sec-Fetch-Site': site });
      assert.deepEqual([location, set], ['/?sign-in-error=foreign_page', []]);
    }
  });

  const reasons: [string, string, () => Promise<Answer>][] = [
    ['a person who gives up', 'cancelled', () => signInAs('cancel')],
    ['a person without a role', 'no_role', () => signInAs('dora')],
    ['a person whose role does not let look', 'no_role', () => signInAs('carl')],
    [
      'a browser that has begun nothing',
      'expired',
      async () => visit(back(await entra.goTo((await begin()).location, 'anna'))),
    ],
    [
      'a browser with a cookie of its own making',
      'expired',
      () => visit('/session/entra/callback?code=c&state=s', { 'diq-sign-in': 'e30..a.b.c' }),
    ],
    [
      'an answer to what another browser began',
      'wrong_state',
      async () => visit(back(await entra.goTo((await begin()).location, 'anna')), (await begin()).cookies),
    ],
    [
      'an answer without anything',
      'wrong_state',
      async () => visit('/session/entra/callback', (await begin()).cookies),
    ],
    [
      'a refusal that belongs to nothing that was begun',
      'wrong_state',
      async () => visit('/session/entra/callback?error=access_denied&state=x', (await begin()).cookies),
    ],
    [
      'a code that was used',
      'refused',
      async () => {
        const { location, cookies } = await begin();
        const returned = back(await entra.goTo(location, 'anna'));
        assert.equal((await visit(returned, cookies)).location, '/');
        return visit(returned, cookies);
      },
    ],
    [
      'a code of another sign-in (PKCE)',
      'refused',
      async () => {
        const stolen = (await entra.goTo((await begin()).location, 'anna')).searchParams.get('code') ?? '';
        const { location, cookies } = await begin();
        const returned = await entra.goTo(location, 'bert');
        returned.searchParams.set('code', stolen);
        return visit(back(returned), cookies);
      },
    ],
    [
      'a consent that is missing',
      'consent_missing',
      async () => {
        const { location, cookies } = await begin();
        const state = new URL(location).searchParams.get('state');
        return visit(`/session/entra/callback?error=consent_required&state=${state}`, cookies);
      },
    ],
  ];
  for (const [what, code, act] of reasons) {
    it(`gives no session for ${what}, and says so: ${code}`, async () => {
      const { location, cookies } = await act();
      assert.deepEqual([location, cookies], [`/?sign-in-error=${code}`, {}]);
    });
  }

  for (const flaw of ['signature', 'issuer', 'audience', 'tenant', 'nonce', 'expired']) {
    it(`gives no session for an ID token that is wrong: ${flaw}`, async () => {
      await entra.setUp({ flaw });
      const { location, cookies } = await signInAs('anna');
      await entra.setUp();
      assert.deepEqual([location, cookies], ['/?sign-in-error=refused', {}]);
    });
  }

  it('says when Entra ID does not take the application, with its number in the log', async () => {
    await entra.setUp({ clientSecret: 'another secret' });
    assert.equal((await signInAs('anna')).location, '/?sign-in-error=misconfigured');
    await entra.setUp();
    const line = intake.log.findLast(({ reason }) => reason === 'misconfigured');
    assert.equal(line?.['detail'], 'invalid_client AADSTS7000215');
  });

  const faults: [string, object][] = [
    ['fails', { kind: 'status', status: 503 }],
    ['breaks the connection', { kind: 'reset', when: 'before' }],
    ['answers with something else', { kind: 'broken-body', form: 'not-json' }],
    ['leads elsewhere', { kind: 'status', status: 302, headers: { Location: 'https://evil.example/' } }],
  ];
  for (const [what, action] of faults) {
    it(`says that Entra ID is away where it ${what}`, async () => {
      await entra.control('/faults', { target: 'token', action });
      assert.equal((await signInAs('anna')).location, '/?sign-in-error=unavailable');
    });
  }

  it('says when no session can be kept, since Redis is away', async () => {
    const begun = await visit('/session/entra', {}, {}, cutOff);
    const returned = await entra.goTo(begun.location, 'anna');
    const { location, cookies } = await visit(back(returned), begun.cookies, {}, cutOff);
    assert.deepEqual([location, cookies], ['/?sign-in-error=store_unavailable', {}]);
  });

  it('leaves code, state, nonce, cookies and secret in no line of the log', async () => {
    const { location, cookies } = await begin();
    const returned = await entra.goTo(location, 'anna');
    const { cookies: session } = await visit(back(returned), cookies);
    const kept = ['state', 'nonce', 'code_challenge'].map((name) => new URL(location).searchParams.get(name));
    const secrets = [
      ...kept,
      returned.searchParams.get('code'),
      ...Object.values({ ...cookies, ...session }),
      entra.env['INTAKE_ENTRA_CLIENT_SECRET'],
    ];
    const log = JSON.stringify(intake.log);
    assert.ok(log.includes('/session/entra/callback'));
    for (const secret of secrets) assert.ok(secret && !log.includes(secret), secret ?? 'none');
  });

  it('goes on after an answer that does not belong to it', async () => {
    const { location, cookies } = await begin();
    const wrong = await visit('/session/entra/callback?code=c&state=another', cookies);
    assert.deepEqual([wrong.location, wrong.set], ['/?sign-in-error=wrong_state', []]);
    assert.equal((await visit(back(await entra.goTo(location, 'anna')), cookies)).location, '/');
  });

  it('asks Entra ID about no more than 30 refused answers a minute from one address, also about the same one', async () => {
    const outcomes = new Map<string, number>();
    const { location, cookies } = await begin();
    const state = new URL(location).searchParams.get('state');
    for (let i = 0; i < 32; i += 1) {
      const refused = await visit(`/session/entra/callback?code=wrong&state=${state}`, cookies);
      outcomes.set(refused.location, (outcomes.get(refused.location) ?? 0) + 1);
    }
    assert.deepEqual([...outcomes.keys()], ['/?sign-in-error=refused', '/?sign-in-error=too_many']);
    assert.ok((outcomes.get('/?sign-in-error=refused') ?? 0) <= 30);
  });
});
