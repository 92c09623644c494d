import {
  createRemoteJWKSet,
  customFetch,
  errors,
  jwtVerify,
  type FetchImplementation,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import { z } from 'zod';
import { guid, type EntraSettings, type TokenSettings } from '../config/auth-settings.ts';
import type { Identity } from './api-keys.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import { createEntraFetch } from './entra-fetch.ts';
import { scopesOfRoles } from './entra-roles.ts';

export interface EntraTokensDeps {
  /** Default: one whose lookups of names end in time, also when their caller has given up. */
  fetch?: FetchImplementation;
  /** PEM of the only authority of certificates to trust for Entra ID; default: Node's own list. */
  ca?: string;
  /** Through which Entra ID is reached, if it is used for it. */
  proxy?: Proxy | undefined;
  /** The least time between two readings of the keys on behalf of an unknown one. Default 30 s. */
  cooldownMs?: number;
}

/** The tenant's signing keys are not known and could not be read: the token may be good. */
export class KeysUnreachable extends Error {
  override readonly name = 'KeysUnreachable';
}

/** Entra's own are 2 to 4 KB; the limit leaves room for many roles. */
const maxTokenLength = 12_288;
/** Below what a caller is promised as an answer while something of ours is away. */
const readTimeoutMs = 1_500;
/** New keys are announced long before they are used, and an outage of Entra ID of a day does no harm. */
const keysMaxAgeMs = 24 * 3_600_000;
const refreshKeysAfterMs = 3_600_000;
const clockToleranceSeconds = 60;
/** After a failed reading of the keys: what strangers send is not to have Entra ID asked without a pause. */
const failurePauseMs = 1_000;

const claims = z.object({
  tid: z.string(),
  /** The application that asked for the token: `appid` in version 1.0, `azp` in 2.0. */
  appid: guid.optional(),
  azp: guid.optional(),
  /** The person or the service principal. */
  oid: guid.optional(),
  sub: z.string().optional(),
  /** There is one in every token of a person, and in no other access token. */
  scp: z.string().min(1).optional(),
  idtyp: z.string().optional(),
  roles: z.array(z.string()).default([]),
});

/** Claims of ID tokens, and of nothing that is presented to an API. */
const idTokenClaims = ['nonce', 'at_hash', 'c_hash'];

/** What an access token says of its bearer. */
export interface TokenClaims {
  /** The client id of the application that asked for the token. */
  application: string;
  /** The object id of the person who has signed in to it; `undefined` for the application itself. */
  person: string | undefined;
  roles: readonly string[];
}

type ReadToken = { kind: 'valid'; claims: TokenClaims } | Extract<Identity, { kind: 'unknown' }>;

/**
 * Reads access tokens of one Entra tenant, of version 1.0 and 2.0: signature (RS256 alone, by the tenant's published
 * keys), issuer, tenant, audience, times, and that it is no ID token. What its bearer may do stands in `roles`, those of the
 * person where one has signed in; `scp` grants nothing.
 */
export function createTokenReader(settings: TokenSettings, deps: EntraTokensDeps = {}) {
  const keyFor = tenantKeys(settings, deps);
  const expected = {
    algorithms: ['RS256'],
    issuer: issuersOf(settings),
    audience: [...settings.audiences],
    requiredClaims: ['exp'],
    clockTolerance: clockToleranceSeconds,
  };

  /** Rejects with `KeysUnreachable` while the signing keys cannot be read. */
  return async (token: string): Promise<ReadToken> => {
    if (token.length > maxTokenLength) return unknown('The token is too long.');
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keyFor, expected);
      return readClaims(payload, protectedHeader.typ, settings);
    } catch (error) {
      if (error instanceof KeysUnreachable) throw error;
      return unknown(reasonOf(error));
    }
  };
}

/** Who presents an access token of one Entra tenant, by what `createTokenReader` reads. */
export function createTokenCheck(settings: EntraSettings, deps: EntraTokensDeps = {}) {
  const read = createTokenReader(settings, deps);
  /** The caller of a token. Rejects with `KeysUnreachable` while the signing keys cannot be read. */
  return async (token: string): Promise<Identity> => {
    const found = await read(token);
    if (found.kind === 'unknown') return found;
    const { application, person, roles } = found.claims;
    // No API key can have this name: the colon separates the parts of its entry.
    const name = `entra:${application}${person === undefined ? '' : `/${person}`}`;
    const caller = { name, scopes: scopesOfRoles(roles), tenants: settings.tenants };
    return { kind: 'known', caller: { ...caller, entraTenantId: settings.tenantId } };
  };
}

/** Three parts, of which the first is a JSON object in base64url: an API key that looks like this would be odd. */
export function looksLikeToken(credential: string): boolean {
  return /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(credential);
}

function tenantKeys(
  { authorityHost, tenantId }: TokenSettings,
  { ca, proxy, fetch = createEntraFetch(authorityHost, ca, proxy), cooldownMs = 30_000 }: EntraTokensDeps,
): JWTVerifyGetKey {
  const url = new URL(`${authorityHost}/${tenantId}/discovery/v2.0/keys`);
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: readTimeoutMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: keysMaxAgeMs,
    [customFetch]: async (...asked) => {
      if (performance.now() < pausedUntilMs) throw new Error('the keys could not be read a moment ago');
      return await fetch(...asked);
    },
  });
  const pauseMs = Math.min(failurePauseMs, cooldownMs);
  let pausedUntilMs = 0;
  let refreshAtMs = performance.now() + refreshKeysAfterMs;

  return async (header, token) => {
    if (performance.now() > refreshAtMs) {
      refreshAtMs = performance.now() + refreshKeysAfterMs;
      // Keys that were withdrawn go; should it fail, those that are known serve on, and it is tried again later.
      remote.reload().catch(() => undefined);
    }
    try {
      return await remote(header, token);
    } catch (error) {
      const isAboutTheToken =
        error instanceof errors.JWKSNoMatchingKey ||
        error instanceof errors.JWKSMultipleMatchingKeys ||
        error instanceof errors.JOSENotSupported;
      if (isAboutTheToken) throw error;
      if (performance.now() >= pausedUntilMs) pausedUntilMs = performance.now() + pauseMs;
      throw new KeysUnreachable('the keys of the Entra tenant cannot be read', { cause: error });
    }
  };
}

function issuersOf({ authorityHost, tenantId }: TokenSettings): string[] {
  const isChina = /\.(?:chinacloudapi|microsoftonline)\.cn$/.test(new URL(authorityHost).hostname);
  const versionOneHost = isChina ? 'https://sts.chinacloudapi.cn' : 'https://sts.windows.net';
  return [`${authorityHost}/${tenantId}/v2.0`, `${versionOneHost}/${tenantId}/`];
}

function readClaims(payload: JWTPayload, type: string | undefined, { tenantId }: TokenSettings): ReadToken {
  const parsed = claims.safeParse(payload);
  if (!parsed.success) return unknown('A claim of the token cannot be read.');
  const { data } = parsed;
  if (data.tid.toLowerCase() !== tenantId) return unknown('The token is of another tenant.');
  if (!/^(?:jwt|at\+jwt)$/i.test(type ?? 'JWT') || idTokenClaims.some((name) => name in payload)) {
    return unknown('The token is an ID token (expected an access token).');
  }
  const bearer = bearerOf(data);
  if (bearer === undefined) {
    return unknown('The token is no access token of an application or of a person who signed in to one.');
  }
  return { kind: 'valid', claims: { ...bearer, roles: data.roles } };
}

/**
 * The application, with the person who has signed in to it, if one has: each person is a caller. `undefined` where the
 * token names no application, or no person though it is a person's: an ID token has roles too, but neither `scp` nor the
 * subject of an application.
 */
function bearerOf({ appid, azp, oid, sub, scp, idtyp }: z.output<typeof claims>) {
  const application = appid ?? azp;
  if (application === undefined) return undefined;
  if (scp !== undefined) {
    return oid === undefined || idtyp === 'app' ? undefined : { application, person: oid };
  }
  if (idtyp !== undefined && idtyp !== 'app') return undefined;
  // Of an application's own token both name its service principal.
  if (oid !== undefined && sub !== undefined && sub.toLowerCase() !== oid) return undefined;
  return { application, person: undefined };
}

function unknown(why: string): Extract<Identity, { kind: 'unknown' }> {
  return { kind: 'unknown', why };
}

/** Words of our own: what the token says stays out of them. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const reasons: Readonly<Record<string, string>> = {
      iss: 'The token is of another issuer.',
      aud: 'The token is for another audience.',
      nbf: 'The token is not valid yet.',
      exp: 'The token has no time of expiry.',
    };
    return (
      (Object.hasOwn(reasons, error.claim) ? reasons[error.claim] : undefined) ??
      'The token is not acceptable.'
    );
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'The token is not signed with RS256.';
  if (error instanceof errors.JWKSNoMatchingKey) return 'The token is signed by an unknown key.';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'The signature of the token is wrong.';
  return 'The token cannot be read.';
}
