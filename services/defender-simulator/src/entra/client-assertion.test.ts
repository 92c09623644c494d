import assert from 'node:assert/strict';
import { constants, createHash, sign, X509Certificate } from 'node:crypto';
import { generate } from 'selfsigned';
import { judgeAssertion } from './client-assertion.ts';

const nowS = 1_800_000_000;
const audience = 'https://localhost/tenant/oauth2/v2.0/token';

describe('a client assertion signed with a certificate', () => {
  let certificate: X509Certificate;
  let privateKey: string;
  let otherKey: string;

  before(async () => {
    const [own, other] = await Promise.all([generate(undefined, { algorithm: 'sha256' }), generate()]);
    certificate = new X509Certificate(own.cert);
    privateKey = own.private;
    otherKey = other.private;
  });

  const proper = { aud: audience, iss: 'client', sub: 'client', exp: nowS + 600, nbf: nowS };

  function judge(changes: object = {}, key = privateKey, thumbprint?: string): string {
    const sha256 = createHash('sha256').update(certificate.raw).digest('base64url');
    const signed = `${encode({ alg: 'PS256', 'x5t#S256': thumbprint ?? sha256 })}.${encode({ ...proper, ...changes })}`;
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
    const signature = sign('sha256', Buffer.from(signed), { key, padding, saltLength }).toString('base64url');
    const rules = { certificate, clientId: 'client', audiences: [audience], nowS };
    const judgement = judgeAssertion(`${signed}.${signature}`, rules);
    return judgement.kind === 'accepted' ? 'accepted' : judgement.error;
  }

  it('is accepted', () => assert.equal(judge(), 'accepted'));
  it('is accepted from a clock that differs by five minutes', () => {
    assert.equal(judge({ nbf: nowS + 300 }), 'accepted');
    assert.equal(judge({ exp: nowS - 300 }), 'accepted');
  });
  it('is refused when signed with another key', () => assert.equal(judge({}, otherKey), 'AADSTS700027'));
  it('is refused when it names another certificate', () =>
    assert.equal(judge({}, privateKey, 'AAAA'), 'AADSTS700027'));
  it('is refused when made out to another application', () =>
    assert.equal(judge({ aud: 'https://x' }), 'AADSTS700023'));
  it('is refused from another issuer', () => assert.equal(judge({ iss: 'other' }), 'AADSTS700021'));
  it('is refused for another subject', () => assert.equal(judge({ sub: 'other' }), 'AADSTS700021'));
  it('is refused when expired', () => assert.equal(judge({ exp: nowS - 301 }), 'AADSTS700024'));
  it('is refused without an expiry', () => assert.equal(judge({ exp: undefined }), 'AADSTS700027'));
  it('is refused when not yet valid', () => assert.equal(judge({ nbf: nowS + 301 }), 'AADSTS700024'));
  it('is refused when it is no JWT', () => {
    const rules = { certificate, clientId: 'client', audiences: [audience], nowS };
    assert.equal(judgeAssertion('nonsense', rules).kind, 'refused');
  });
});

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
