import { createHash, generateKeyPair, randomUUID, sign, type JsonWebKey, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { IdTokenFlaw, Person } from './sign-in-setup.ts';

const lifetimeS = 3600;

export interface IdTokenContent {
  person: Person;
  clientId: string;
  tenantId: string;
  issuer: string;
  nonce: string | undefined;
  /** Seconds since 1970. */
  nowS: number;
  flaw: IdTokenFlaw | undefined;
}

/** ID tokens as version 2.0 has them, signed with RS256, and the key by which they are checked. */
export interface IdTokens {
  issue(content: IdTokenContent): string;
  /** What is published at the tenant's `keys`. */
  publicKeys(): { keys: JsonWebKey[] };
}

export async function createIdTokens(): Promise<IdTokens> {
  const [published, unpublished] = await Promise.all([keyPair(), keyPair()]);
  const kid = randomUUID();
  return {
    issue: (content) => {
      const { privateKey } = content.flaw === 'signature' ? unpublished : published;
      return signed({ typ: 'JWT', alg: 'RS256', kid }, claimsOf(content), privateKey);
    },
    publicKeys: () => ({
      keys: [{ ...published.publicKey.export({ format: 'jwk' }), use: 'sig', kid, alg: 'RS256' }],
    }),
  };
}

const keyPair = () => promisify(generateKeyPair)('rsa', { modulusLength: 2048 });

function claimsOf({ person, clientId, tenantId, issuer, nonce, nowS, flaw }: IdTokenContent): object {
  const { oid, name, username, roles } = person;
  const expS = nowS + (flaw === 'expired' ? -lifetimeS : lifetimeS);
  return {
    aud: flaw === 'audience' ? randomUUID() : clientId,
    iss: flaw === 'issuer' ? issuer.replace(tenantId, randomUUID()) : issuer,
    iat: expS - lifetimeS,
    nbf: expS - lifetimeS,
    exp: expS,
    ...(name === undefined ? {} : { name }),
    ...(nonce === undefined ? {} : { nonce: flaw === 'nonce' ? randomUUID() : nonce }),
    oid,
    preferred_username: username,
    // Without an assigned role there is no claim.
    ...(roles.length === 0 ? {} : { roles }),
    // Of one person each application sees another subject.
    sub: createHash('sha256').update(`${clientId} ${oid}`).digest('base64url'),
    tid: flaw === 'tenant' ? randomUUID() : tenantId,
    uti: randomUUID(),
    ver: '2.0',
  };
}

function signed(header: object, claims: object, key: KeyObject): string {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
