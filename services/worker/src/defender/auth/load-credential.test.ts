import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, verify, constants } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { loadCredential, type Credential } from './load-credential.ts';
import { createMsalNetworkClient } from './msal-network-client.ts';
import { createTokenProvider } from './token-provider.ts';
import { makeCertificate, type TestCertificate } from '../test-support/certificate.ts';
import { denied, openTokenEndpoint, type TokenEndpoint } from '../test-support/token-endpoint.ts';

describe('credentials in files', () => {
  let folder: string;
  let path: string;
  let tls: TestCertificate;
  let identity: TestCertificate;
  let entra: TokenEndpoint;
  let network: ReturnType<typeof createMsalNetworkClient>;

  before(async () => {
    tls = await makeCertificate();
    identity = await makeCertificate('worker');
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'credential-'));
    path = join(folder, 'file');
    entra = await openTokenEndpoint(tls);
    network = createMsalNetworkClient({
      authorityHost: entra.authorityHost,
      requestTimeoutMs: 5_000,
      ca: tls.cert,
    });
  });
  afterEach(async () => {
    await network.close();
    await entra.close();
    await rm(folder, { recursive: true });
  });

  function provider(kind: Exclude<Credential['kind'], 'secret'>) {
    return createTokenProvider({
      tenantId: 'contoso',
      clientId: 'client',
      credential: { kind, path },
      authorityHost: entra.authorityHost,
      scope: 'https://api.securitycenter.microsoft.com/.default',
      networkClient: network,
    });
  }

  it('are refused at once where they are a pipe, on which reading would wait for ever', async () => {
    execFileSync('mkfifo', [path]);
    await assert.rejects(loadCredential({ kind: 'secret_file', path }), { code: 'secret_unreadable' });
  });

  it('proves possession of the certificate by an assertion that its public key verifies', async () => {
    await writeFile(path, identity.key + identity.cert);
    assert.equal((await provider('certificate').get()).kind, 'token');
    const form = entra.posts[0];
    assert.equal(form?.get('client_secret'), null);
    assert.equal(
      form?.get('client_assertion_type'),
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    );
    const [head = '', claims = '', signature = ''] = (form?.get('client_assertion') ?? '').split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, string[] & string>;
    const der = Buffer.from(header['x5c']?.[0] ?? '', 'base64');
    assert.equal(header['x5t#S256'], createHash('sha256').update(der).digest('base64url'));
    const pssKey = {
      key: createPublicKey(identity.cert),
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    };
    assert.equal(header['alg'], 'PS256');
    const signed = Buffer.from(`${head}.${claims}`);
    assert.ok(verify('sha256', signed, pssKey, Buffer.from(signature, 'base64url')));
    const { iss, sub, aud } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<
      string,
      string
    >;
    assert.deepEqual([iss, sub], ['client', 'client']);
    assert.equal(aud, `${entra.authorityHost}/contoso/oauth2/v2.0/token`);
  });

  it('uses a renewed certificate without a restart', async () => {
    await writeFile(path, identity.key + identity.cert);
    const tokens = provider('certificate');
    entra.reply = () => denied(401, 'invalid_client', 700027);
    assert.equal((await tokens.get()).kind, 'unavailable');
    await writeFile(path, tls.cert + tls.key);
    await tokens.get();
    const thumbprints = entra.posts.map((form) => form.get('client_assertion')?.split('.')[0]);
    assert.notEqual(thumbprints[0], thumbprints[1]);
  });

  it('sends the federated token that the file holds at the time of each request', async () => {
    await writeFile(path, 'platform-token-1\n');
    const tokens = provider('federated');
    await tokens.get();
    await writeFile(path, 'platform-token-2\n');
    await tokens.renewAfterRejection('token-1');
    const sent = entra.posts.map((form) => form.get('client_assertion'));
    assert.deepEqual(sent, ['platform-token-1', 'platform-token-2']);
  });

  it('names what is wrong with a file and sends no request', async () => {
    const elliptic = await generate([{ name: 'commonName', value: 'x' }], {
      keyType: 'ec',
      algorithm: 'sha256',
    });
    const codes: [Exclude<Credential['kind'], 'secret'>, string | undefined, string][] = [
      ['certificate', undefined, 'certificate_unreadable'],
      ['certificate', identity.cert, 'certificate_incomplete'],
      ['certificate', identity.key, 'certificate_incomplete'],
      ['certificate', identity.key + tls.cert, 'certificate_key_mismatch'],
      ['certificate', elliptic.private + elliptic.cert, 'certificate_not_rsa'],
      ['certificate', identity.key.replace(/M/g, '!') + identity.cert, 'certificate_unreadable'],
      ['federated', undefined, 'federated_token_unreadable'],
      ['federated', ' \n', 'federated_token_unreadable'],
    ];
    for (const [kind, content, code] of codes) {
      await rm(path, { force: true });
      if (content !== undefined) await writeFile(path, content);
      assert.deepEqual(await provider(kind).get(), { kind: 'unavailable', permanent: true, code });
    }
    assert.equal(entra.posts.length, 0);
  });
});
