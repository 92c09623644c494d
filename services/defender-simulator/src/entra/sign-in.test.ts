import assert from 'node:assert/strict';
import { createHash, createPublicKey, randomUUID, verify, type JsonWebKey } from 'node:crypto';
import {
  openSimulator,
  stoppedClock,
  tenantId,
  tokenPath,
  type OpenSimulator,
} from '../../test/open-simulator.ts';
import { idTokenFlaws } from './sign-in-setup.ts';

const clientId = randomUUID();
const clientSecret = 'the secret of the page';
const redirectUri = 'https://queue.example.com/session/entra/callback';
const codeVerifier = 'v'.repeat(64);
const anna = {
  username: 'anna@example.com',
  name: 'Anna',
  oid: randomUUID(),
  roles: ['Investigations.Read', 'Investigations.Submit'],
};
const people = [
  anna,
  { username: 'noroles@example.com', oid: randomUUID() },
  { username: 'unwilling@example.com', oid: randomUUID(), consents: false },
];
const keysPath = `/${tenantId}/discovery/v2.0/keys`;

describe('a person who signs in', () => {
  const clock = stoppedClock('2026-11-01T10:00:00Z');
  let simulator: OpenSimulator;

  before(async () => {
    simulator = await openSimulator({}, clock);
  });
  beforeEach(() => setUp());
  after(() => simulator.close());

  async function setUp(changes: object = {}): Promise<void> {
    const setup = { clientId, clientSecret, redirectUris: [redirectUri], people, ...changes };
    const { status, text } = await simulator.control('/sign-in', setup);
    assert.equal(status, 204, text);
  }

  const authorize = (changes: Record<string, string | undefined> = {}, tenant = tenantId) =>
    simulator.send(
      `/${tenant}/oauth2/v2.0/authorize?${encoded({
        client_id: clientId,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: 'openid profile',
        state: 'a state',
        nonce: 'a nonce',
        code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
        code_challenge_method: 'S256',
        person: anna.username,
        ...changes,
      })}`,
    );

  async function sentBack(changes: Record<string, string | undefined> = {}): Promise<URLSearchParams> {
    const { status, headers, text } = await authorize(changes);
    assert.equal(status, 302, text);
    const url = new URL(headers.location ?? '');
    assert.equal(url.origin + url.pathname, redirectUri);
    assert.equal(url.searchParams.get('state'), 'a state');
    return url.searchParams;
  }

  const code = async (changes: Record<string, string | undefined> = {}) =>
    (await sentBack(changes)).get('code') ?? assert.fail('there is no code');

  const redeem = (given: string, changes: Record<string, string | undefined> = {}) =>
    simulator.send(tokenPath, {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: encoded({
        grant_type: 'authorization_code',
        client_id: clientId,
        client_secret: clientSecret,
        code: given,
        redirect_uri: redirectUri,
        code_verifier: codeVerifier,
        ...changes,
      }),
    });

  async function idToken(changes: Record<string, string | undefined> = {}) {
    const { status, json, text } = await redeem(await code(changes));
    assert.equal(status, 200, text);
    const { keys } = (await simulator.send(keysPath)).json as { keys: (JsonWebKey & { kid: string })[] };
    return { ...opened(String(json.id_token), keys), accessToken: String(json.access_token) };
  }

  it('gets an ID token with name, roles and nonce, signed by the published key', async () => {
    const { claims, isSigned, accessToken } = await idToken();
    assert.equal(isSigned, true);
    const { uti, sub, ...rest } = claims;
    assert.ok(uti !== undefined && sub !== anna.oid);
    const nowS = Date.parse('2026-11-01T10:00:00Z') / 1000;
    assert.deepEqual(rest, {
      aud: clientId,
      iss: `${simulator.origin}/${tenantId}/v2.0`,
      iat: nowS,
      nbf: nowS,
      exp: nowS + 3600,
      name: 'Anna',
      nonce: 'a nonce',
      oid: anna.oid,
      preferred_username: anna.username,
      roles: anna.roles,
      tid: tenantId,
      ver: '2.0',
    });
    assert.equal((await simulator.start(accessToken)).status, 401);
  });

  it('has no claim of roles without a role', async () => {
    const { claims } = await idToken({ person: 'noroles@example.com' });
    assert.equal('roles' in claims, false);
  });

  it('picks who they are on a page that keeps what was asked, and may cancel there', async () => {
    const { status, text } = await authorize({ person: undefined });
    assert.equal(status, 200);
    const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => href.replaceAll('&#38;', '&'));
    assert.equal(links.length, people.length + 1);
    const followed = await simulator.send(links[0] ?? '');
    const back = new URL(followed.headers.location ?? '').searchParams;
    assert.equal((await redeem(back.get('code') ?? '')).status, 200);
    const cancelled = await simulator.send(links.at(-1) ?? '');
    assert.match(cancelled.headers.location ?? '', /error=access_denied/);
  });

  it('may refuse the application', async () => {
    const answer = await sentBack({ person: 'unwilling@example.com' });
    assert.equal(answer.get('error'), 'access_denied');
    assert.match(answer.get('error_description') ?? '', /^AADSTS65004: /);
    assert.equal(answer.get('code'), null);
  });

  it('needs PKCE, and no secret, where the application is public', async () => {
    await setUp({ clientSecret: undefined });
    assert.match(
      (await sentBack({ code_challenge: undefined })).get('error_description') ?? '',
      /AADSTS9002325/,
    );
    assert.equal((await redeem(await code())).json.error_codes[0], 700025);
    assert.equal((await redeem(await code(), { client_secret: undefined })).status, 200);
  });

  it('is sent to no redirect URI but those of the application', async () => {
    for (const uri of [
      'https://evil.example.com/',
      `${redirectUri}/more`,
      redirectUri.replace('https', 'http'),
      '',
    ]) {
      const { status, headers, text } = await authorize({ redirect_uri: uri });
      assert.deepEqual([status, headers.location], [400, undefined], uri);
      assert.match(text, /AADSTS50011/);
    }
    assert.match((await authorize({ client_id: randomUUID() })).text, /AADSTS700016/);
    assert.match((await authorize({}, randomUUID())).text, /AADSTS90002/);
  });

  const refusals: [string, Record<string, string | undefined>, number][] = [
    ['a code never given', { code: 'another' }, 70000],
    ['another verifier', { code_verifier: 'w'.repeat(64) }, 501481],
    ['no verifier', { code_verifier: undefined }, 501481],
    ['another redirect URI', { redirect_uri: 'https://queue.example.com/' }, 500112],
    ['a wrong secret', { client_secret: 'wrong' }, 7000215],
    ['no secret', { client_secret: undefined }, 7000218],
    ['another application', { client_id: randomUUID() }, 700016],
  ];
  for (const [what, changes, number] of refusals) {
    it(`gets no token by ${what}, and the code stays good: AADSTS${number}`, async () => {
      const given = await code();
      const { status, json } = await redeem(given, changes);
      assert.deepEqual([status >= 400, json.error_codes, json.id_token], [true, [number], undefined]);
      assert.equal((await redeem(given)).status, 200);
    });
  }

  it('gets one token by a code', async () => {
    const given = await code();
    assert.equal((await redeem(given)).status, 200);
    const { status, json } = await redeem(given);
    assert.deepEqual([status, json.error, json.error_codes], [400, 'invalid_grant', [54005]]);
  });

  it('gets none by a code that has expired', async () => {
    await setUp({ codeLifetimeMs: 1_000 });
    const given = await code();
    clock.advance(1_000);
    assert.deepEqual((await redeem(given)).json.error_codes, [70008]);
    clock.advance(-1_000);
  });

  for (const flaw of idTokenFlaws) {
    it(`gets an ID token that is wrong in one way on demand: ${flaw}`, async () => {
      const good = await idToken();
      await setUp({ flaw });
      const bad = await idToken();
      assert.equal(bad.isSigned, flaw !== 'signature');
      const differing = Object.keys(good.claims).filter((name) => bad.claims[name] !== good.claims[name]);
      const expected = {
        signature: [],
        issuer: ['iss'],
        audience: ['aud'],
        tenant: ['tid'],
        nonce: ['nonce'],
      };
      const times = ['exp', 'iat', 'nbf'];
      const claims = differing.filter((name) => !['uti', 'roles'].includes(name)).toSorted();
      assert.deepEqual(claims, flaw === 'expired' ? times : expected[flaw]);
    });
  }

  it('is set up by what can be read alone', async () => {
    for (const faulty of [
      {},
      { clientId, redirectUris: [], people: [] },
      { clientId, redirectUris: ['x'], people: [] },
    ])
      assert.equal((await simulator.control('/sign-in', faulty)).status, 400);
  });
});

function encoded(fields: Record<string, string | undefined>): string {
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return new URLSearchParams(given).toString();
}

function opened(token: string, keys: readonly (JsonWebKey & { kid: string })[]) {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const decoded = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
  const { kid } = decoded(header);
  const key = keys.find((published) => published.kid === kid) ?? assert.fail('the key is not published');
  const text = Buffer.from(`${header}.${claims}`);
  const publicKey = createPublicKey({ key, format: 'jwk' });
  return {
    claims: decoded(claims),
    isSigned: verify('sha256', text, publicKey, Buffer.from(signature, 'base64url')),
  };
}
