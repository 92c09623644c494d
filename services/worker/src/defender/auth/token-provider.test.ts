import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { createMsalNetworkClient } from './msal-network-client.ts';
import {
  createTokenProvider,
  type TokenProviderOptions,
  type TokenRequestOutcome,
  type TokenResult,
} from './token-provider.ts';
import { makeCertificate, type TestCertificate } from '../test-support/certificate.ts';
import {
  denied,
  granted,
  openTokenEndpoint,
  type TokenEndpoint,
  type TokenReply,
} from '../test-support/token-endpoint.ts';

const secret = 'Abc~very.secret_value-123';
const minutesMs = (minutes: number) => minutes * 60_000;

/** The token, or the code where there is none. */
async function tokenOf(pending: Promise<TokenResult>) {
  const result = await pending;
  return result.kind === 'token' ? result.token : result.code;
}

describe('token provider', () => {
  let certificate: TestCertificate;
  let entra: TokenEndpoint;
  let stranger: TokenEndpoint | undefined;
  let outcomes: TokenRequestOutcome[];
  let laterMs: number;
  let network: ReturnType<typeof createMsalNetworkClient>;

  before(async () => {
    certificate = await makeCertificate();
  });
  beforeEach(async () => {
    entra = await openTokenEndpoint(certificate);
    outcomes = [];
    laterMs = 0;
    network = networkOf(5_000);
  });
  afterEach(async () => {
    await network.close();
    await entra.close();
    await stranger?.close();
    stranger = undefined;
  });

  function networkOf(requestTimeoutMs: number) {
    return createMsalNetworkClient({
      authorityHost: entra.authorityHost,
      requestTimeoutMs,
      ca: certificate.cert,
    });
  }

  function provider(more: Partial<TokenProviderOptions> = {}) {
    return createTokenProvider({
      tenantId: 'contoso',
      clientId: '11111111-2222-3333-4444-555555555555',
      credential: { kind: 'secret', secret },
      authorityHost: entra.authorityHost,
      scope: 'https://api.securitycenter.microsoft.com/.default',
      networkClient: network,
      now: () => Date.now() + laterMs,
      onRequest: (outcome) => outcomes.push(outcome),
      ...more,
    });
  }

  for (const [what, token] of [
    ['a line end', 'tok-1\n'],
    ['CR LF and a header', 'tok-1\r\nx-evil: 1'],
    ['NUL', 'tok\u0000-1'],
    ['a control character', 'tok\u007f-1'],
    ['a letter beyond ASCII', 'tök-1'],
    ['a character beyond Latin-1', 'tok-→'],
    ['a blank', 'tok 1'],
    ['nothing but a blank', ' '],
    ['more characters than a header takes', 't'.repeat(32 * 1024 + 1)],
  ] as const) {
    it(`takes over no token that no header can carry: with ${what}`, async () => {
      const tokens = provider();
      entra.reply = (_form, count) => granted(count === 1 ? token : `token-${count}`);
      assert.deepEqual(await tokens.get(), {
        kind: 'unavailable',
        permanent: false,
        code: 'unreadable_token',
      });
      assert.equal(await tokenOf(tokens.get()), 'token-2', 'it was not kept');
      assert.deepEqual(outcomes, ['failed', 'acquired']);
    });
  }

  it('keeps the token at hand when a new one cannot be sent', async () => {
    const tokens = provider();
    entra.reply = (_form, count) => granted(count === 1 ? 'token-1' : 'tok-2\n');
    assert.equal(await tokenOf(tokens.get()), 'token-1');
    laterMs = minutesMs(56);
    assert.equal(await tokenOf(tokens.get()), 'token-1');
    assert.deepEqual(outcomes, ['acquired', 'failed', 'served_stale']);
  });

  it('takes over no token without a lifetime, whatever stands in its place', async () => {
    for (const expires_in of [0, -1, -3_600, 'soon', '', null, {}, [], false, 1e15]) {
      entra.reply = () => granted('token-x', { expires_in });
      const result = await provider().get();
      const left = result.kind === 'token' ? result.expiresAtMs - Date.now() : 0;
      assert.ok(left <= 24 * 3_600_000, `${JSON.stringify(expires_in)}: ${left}`);
      if (typeof expires_in !== 'number' || expires_in <= 0) {
        assert.equal(result.kind, 'unavailable', JSON.stringify(expires_in));
      }
    }
  });

  it('believes no token to live for longer than a day, and no wish to renew it at once', async () => {
    const tokens = provider();
    entra.reply = (_form, count) => granted(`token-${count}`, { expires_in: 3_000_000, refresh_in: -5 });
    assert.equal(await tokenOf(tokens.get()), 'token-1');
    assert.equal(await tokenOf(tokens.get()), 'token-1');
    laterMs = minutesMs(24 * 60);
    assert.equal(await tokenOf(tokens.get()), 'token-2');
  });

  it('asks once for ten callers at the same time, and not again while the token is fresh', async () => {
    const tokens = provider();
    const results = await Promise.all(Array.from({ length: 10 }, () => tokenOf(tokens.get())));
    assert.deepEqual(new Set(results), new Set(['token-1']));
    assert.equal(await tokenOf(tokens.get()), 'token-1');
    assert.equal(entra.posts.length, 1);
    assert.deepEqual(outcomes, ['acquired']);
    const form = Object.fromEntries(entra.posts[0] ?? []);
    assert.equal(form['grant_type'], 'client_credentials');
    assert.equal(form['client_secret'], secret);
    assert.match(form['scope'] ?? '', /^https:\/\/api\.securitycenter\.microsoft\.com\/\.default/);
  });

  it('says when the token expires', async () => {
    const result = await provider().get();
    assert.equal(result.kind, 'token');
    const leftMs = 'expiresAtMs' in result ? result.expiresAtMs - Date.now() : 0;
    assert.ok(leftMs > minutesMs(59) && leftMs < minutesMs(60) + 1_000);
  });

  it('renews five minutes before the end, or when Entra ID wishes it', async () => {
    const tokens = provider();
    await tokens.get();
    laterMs = minutesMs(54);
    assert.equal(await tokenOf(tokens.get()), 'token-1');
    laterMs = minutesMs(56);
    entra.reply = () => granted('wished-early', { refresh_in: 600 });
    assert.equal(await tokenOf(tokens.get()), 'wished-early');
    // msal counts from the real clock, which stands 56 minutes behind the provider's.
    entra.reply = () => granted('newest');
    assert.equal(await tokenOf(tokens.get()), 'newest');
  });

  it('serves a token of 200 s from memory instead of asking for each call', async () => {
    entra.reply = (_form, count) => granted(`short-${count}`, { expires_in: 200 });
    const tokens = provider();
    await tokens.get();
    assert.equal(await tokenOf(tokens.get()), 'short-1');
    laterMs = 110_000;
    assert.equal(await tokenOf(tokens.get()), 'short-2');
  });

  it('serves the token at hand while renewing fails, without asking each time, until a minute is left', async () => {
    const tokens = provider();
    await tokens.get();
    entra.reply = () => ({ status: 503, body: {} });
    laterMs = minutesMs(56);
    for (let call = 0; call < 3; call += 1) assert.equal(await tokenOf(tokens.get()), 'token-1');
    assert.equal(entra.posts.length, 2);
    laterMs = minutesMs(59) + 10_000;
    assert.deepEqual(await tokens.get(), { kind: 'unavailable', permanent: false, code: 'http_503' });
    assert.equal(entra.posts.length, 3);
    assert.deepEqual(outcomes, [
      'acquired',
      'failed',
      'served_stale',
      'served_stale',
      'served_stale',
      'failed',
    ]);
  });

  it('asks again at once after an answer of 5xx, with no block of its own', async () => {
    entra.reply = (_form, count) => (count === 1 ? { status: 500, body: '<html>' } : granted('after'));
    const tokens = provider();
    const failed = { kind: 'unavailable', permanent: false, code: 'http_500' };
    assert.deepEqual(await tokens.get(), failed);
    assert.equal(await tokenOf(tokens.get()), 'after');
  });

  it('leaves the authority alone for as long as it asked', async () => {
    entra.reply = () => ({
      ...denied(429, 'temporarily_unavailable', 50196),
      headers: { 'retry-after': '120' },
    });
    const tokens = provider();
    const first = await tokens.get();
    assert.deepEqual(first, {
      kind: 'unavailable',
      permanent: false,
      code: 'AADSTS50196',
      retryAfterMs: 'retryAfterMs' in first ? first.retryAfterMs : undefined,
    });
    assert.ok('retryAfterMs' in first && (first.retryAfterMs ?? 0) > 119_000);
    entra.reply = () => granted('later');
    laterMs = 100_000;
    const second = await tokens.get();
    assert.ok('retryAfterMs' in second && (second.retryAfterMs ?? 0) <= 20_000);
    assert.equal(entra.posts.length, 1);
    laterMs = 121_000;
    assert.equal(await tokenOf(tokens.get()), 'later');
  });

  it('replaces a rejected token once, however many calls report it', async () => {
    const tokens = provider();
    await tokens.get();
    const renewals = Array.from({ length: 5 }, () => tokenOf(tokens.renewAfterRejection('token-1')));
    assert.deepEqual(new Set(await Promise.all(renewals)), new Set(['token-2']));
    assert.equal(await tokenOf(tokens.renewAfterRejection('token-1')), 'token-2');
    assert.equal(await tokenOf(tokens.get()), 'token-2');
    assert.equal(entra.posts.length, 2);
  });

  it('never gives out a rejected token again, not in an outage and not when Entra ID repeats it', async () => {
    const tokens = provider();
    await tokens.get();
    entra.reply = () => ({ status: 503, body: {} });
    assert.equal(await tokenOf(tokens.renewAfterRejection('token-1')), 'http_503');
    assert.equal(await tokenOf(tokens.get()), 'http_503');
    entra.reply = () => granted('token-1');
    assert.equal(await tokenOf(tokens.get()), 'same_token_again');
    entra.reply = () => granted('other');
    assert.equal(await tokenOf(tokens.get()), 'other');
  });

  it('does not serve the old token to a caller that waited while it was rejected', async () => {
    const tokens = provider();
    await tokens.get();
    laterMs = minutesMs(56);
    const gate = new EventEmitter();
    entra.reply = async () => {
      gate.emit('arrived');
      await once(gate, 'release');
      return { status: 503, body: {} };
    };
    const arrived = once(gate, 'arrived');
    const waiting = tokenOf(tokens.get());
    await arrived;
    const reporting = tokenOf(tokens.renewAfterRejection('token-1'));
    gate.emit('release');
    assert.deepEqual(await Promise.all([waiting, reporting]), ['http_503', 'http_503']);
  });

  it('gives up on an authority that never answers', async () => {
    entra.reply = () => 'hang';
    const impatient = networkOf(300);
    const tokens = provider({ networkClient: impatient });
    assert.deepEqual(await tokens.get(), { kind: 'unavailable', permanent: false, code: 'timeout' });
    await impatient.close();
  });

  it('reports a closed port and an untrusted certificate by their codes', async () => {
    const untrusting = provider({
      networkClient: createMsalNetworkClient({ authorityHost: entra.authorityHost, requestTimeoutMs: 5_000 }),
    });
    assert.equal(await tokenOf(untrusting.get()), 'DEPTH_ZERO_SELF_SIGNED_CERT');
    const gone = await openTokenEndpoint(certificate);
    await gone.close();
    const authorityHost = gone.authorityHost;
    const closed = createMsalNetworkClient({ authorityHost, requestTimeoutMs: 5_000 });
    const result = await provider({ authorityHost, networkClient: closed }).get();
    assert.deepEqual(result, { kind: 'unavailable', permanent: false, code: 'ECONNREFUSED' });
    assert.deepEqual(outcomes, ['failed', 'failed']);
  });

  for (const [what, error, number] of [
    ['a wrong secret', 'invalid_client', 7000215],
    ['an expired secret', 'invalid_client', 7000222],
    ['an application unknown in the tenant', 'unauthorized_client', 700016],
    ['a scope that does not exist', 'invalid_scope', 70011],
  ] as const) {
    it(`needs an administrator for ${what}, and repeats nothing secret`, async () => {
      entra.reply = (form) => denied(error === 'invalid_client' ? 401 : 400, error, number, form.toString());
      const logged: unknown[] = [];
      const tokens = provider({ logger: { warn: (...line) => logged.push(line) } });
      const result = await tokens.get();
      assert.deepEqual(result, { kind: 'unavailable', permanent: true, code: `AADSTS${number}` });
      assert.deepEqual(outcomes, ['rejected']);
      assert.equal(logged.length, 1);
      assert.ok(!JSON.stringify([result, logged]).includes(secret));
    });
  }

  for (const [coding, pack] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const) {
    it(`reads what a proxy has packed with ${coding}, which it did not ask for: tokens and errors`, async () => {
      const packed = ({ status, body }: TokenReply) => ({
        status,
        body: pack(`\uFEFF${JSON.stringify(body)}`),
        headers: { 'content-encoding': coding },
      });
      const tokens = provider();
      entra.reply = () => packed(denied(401, 'invalid_client', 7000222));
      assert.deepEqual(await tokens.get(), { kind: 'unavailable', permanent: true, code: 'AADSTS7000222' });
      laterMs = minutesMs(1);
      entra.reply = () => packed(granted('token-packed'));
      assert.equal(await tokenOf(tokens.get()), 'token-packed');
      assert.deepEqual([...new Set(entra.codingsAccepted)], ['identity']);
    });
  }

  it('names a coding that it does not know, whatever the status', async () => {
    for (const status of [200, 401]) {
      entra.reply = () => ({ status, body: '{}', headers: { 'content-encoding': 'zpaq' } });
      assert.equal(await tokenOf(provider().get()), 'unknown_content_coding');
    }
  });

  it('does not repeat what a server writes in place of an error code', async () => {
    entra.reply = (form) => ({ status: 400, body: { error: form.get('client_secret') } });
    assert.deepEqual(await provider().get(), { kind: 'unavailable', permanent: false, code: 'http_400' });
  });

  it('does not take an answer without a token for one', async () => {
    entra.reply = () => ({ status: 200, body: { token_type: 'Bearer', expires_in: 3_600 } });
    assert.equal((await provider().get()).kind, 'unavailable');
    entra.reply = () => ({ status: 200, body: { token_type: 'Bearer', access_token: 'x' } });
    assert.equal((await provider().get()).kind, 'unavailable');
  });

  it('sends the credential to no host but the configured one', async () => {
    stranger = await openTokenEndpoint(certificate);
    entra.advertisedTokenEndpoint = `${stranger.authorityHost}/contoso/oauth2/v2.0/token`;
    assert.deepEqual(await provider().get(), {
      kind: 'unavailable',
      permanent: true,
      code: 'unexpected_host',
    });
    assert.equal(stranger.posts.length, 0);
  });

  it('needs an administrator for settings that cannot work, and sends no request', async () => {
    const credential = { kind: 'secret', secret: '' } as const;
    assert.equal(await tokenOf(provider({ credential }).get()), 'invalid_client_credential');
    const result = await provider({ tenantId: 'common' }).get();
    assert.deepEqual(result, { kind: 'unavailable', permanent: true, code: 'missing_tenant_id_error' });
    assert.deepEqual([entra.posts.length, outcomes], [0, ['rejected', 'rejected']]);
  });

  it('refuses an authority that is not an https origin', () => {
    for (const authorityHost of [
      'http://login.example',
      'https://login.example/tenant',
      'login.example',
      '',
    ]) {
      assert.throws(() => provider({ authorityHost }), RangeError);
    }
  });
});
