import assert from 'node:assert/strict';
import { useIntake, type IntakeUnderTest } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item } from '@diq/intake-api/test-support/items.ts';
import { signIn } from '@diq/intake-api/test-support/sign-in.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { entraVisits, sentAs } from './support/entra-visits.ts';
import { people, useEntra, type PersonName } from './support/use-entra.ts';

describe('signing in to the status page with Entra ID', () => {
  const redis = useEmbeddedRedis();
  const entra = useEntra();
  const intake = useIntake(redis, entra.env, { entra: entra.trust });
  /** Another one of the same service. */
  const second = useIntake(redis, entra.envOfAnother(), { entra: entra.trust });
  const limited = useIntake(redis, entra.envOfAnother({ INTAKE_MAX_REQUESTS_PER_MINUTE: '1' }), {
    entra: entra.trust,
  });
  const published = useIntake(redis, entra.envOfAnother({ INTAKE_PUBLIC_URL: 'https://queue.example.com' }), {
    entra: entra.trust,
  });

  const { visit, begin, back, signInAs } = entraVisits(entra, intake);

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

  it('keeps its cookies for https and this host alone where the public URL is https', async () => {
    await entra.setUp({ redirectUris: ['https://queue.example.com/session/entra/callback'] });
    const begun = await visit('/session/entra', {}, {}, published);
    assert.match(
      begun.set[0] ?? '',
      /^__Host-diq-sign-in=[^;]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    );
    const returned = back(await entra.goTo(begun.location, 'anna'));
    const underAnotherName = { 'diq-sign-in': begun.cookies['__Host-diq-sign-in'] ?? '' };
    assert.equal(
      (await visit(returned, underAnotherName, {}, published)).location,
      '/?sign-in-error=expired',
    );
    const { set, location } = await visit(returned, begun.cookies, { Host: 'queue.example.com' }, published);
    await entra.setUp();
    assert.equal(location, '/');
    assert.match(
      set[1] ?? '',
      /^__Host-diq-session=person:[^;]+; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    );
  });

  it('is not begun by a page of another site', async () => {
    for (const site of ['cross-site', 'same-site']) {
      const { location, set } = await visit('/session/entra', {}, { 'Sec-Fetch-Site': site });
      assert.deepEqual([location, set], ['/?sign-in-error=foreign_page', []]);
    }
  });

  it('counts for the rate of the person', async () => {
    const locations: string[] = [];
    for (const _ of ['once', 'twice']) {
      const begun = await visit('/session/entra', {}, {}, limited);
      const returned = back(await entra.goTo(begun.location, 'bert'));
      locations.push((await visit(returned, begun.cookies, {}, limited)).location);
    }
    assert.deepEqual(locations, ['/', '/?sign-in-error=too_many']);
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
});
