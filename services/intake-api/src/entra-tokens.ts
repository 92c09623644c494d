import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose';
import type { FetchImplementation, JWTPayload, JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { scopes } from './api-keys.ts';
import type { Scope } from './api-keys.ts';
import type { Identity } from './identity.ts';

/** Whose tokens are accepted, and for whom they must have been issued. */
export interface EntraSettings {
  tenantId: string;
  /** The application's client id or its `api://` identifier, as they stand in `aud`. */
  audiences: readonly string[];
  authorityHost: string;
}

export interface EntraTokensDeps {
  /** Default: Node's own. */
  fetch?: FetchImplementation;
  /** The least time between two readings of the keys on behalf of an unknown one. Default 30 s. */
  cooldownMs?: number;
}

/** Tells whose token it is. Rejects with `KeysUnreachable` where nobody can say. */
export type CheckToken = (token: string) => Promise<Identity>;

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

/** Roles as the app registration names them. */
const scopesOfRole: Readonly<Record<string, readonly Scope[]>> = {
  'Investigations.Submit': ['submit'],
  'Investigations.Read': ['read'],
  'Investigations.Admin': scopes,
};

const claims = z.object({
  tid: z.string(),
  appid: z.string().optional(),
  azp: z.string().optional(),
  oid: z.string().optional(),
  roles: z.array(z.string()).default([]),
});

/**
 * Checks access tokens of one Entra tenant, of version 1.0 and 2.0: signature (RS256 alone, by the tenant's published
 * keys), issuer, tenant, audience and times. What its bearer may do stands in `roles`.
 */
export function createTokenCheck(settings: EntraSettings, deps: EntraTokensDeps = {}): CheckToken {
  const keyFor = tenantKeys(settings, deps);
  const expected = {
    algorithms: ['RS256'],
    issuer: issuersOf(settings),
    audience: [...settings.audiences],
    requiredClaims: ['exp'],
    clockTolerance: clockToleranceSeconds,
  };

  return async (token) => {
    if (token.length > maxTokenLength) return unknown('The token is too long.');
    try {
      const { payload } = await jwtVerify(token, keyFor, expected);
      return identify(payload, settings.tenantId);
    } catch (error) {
      if (error instanceof KeysUnreachable) throw error;
      return unknown(reasonOf(error));
    }
  };
}

/** Three parts, of which the first is a JSON object in base64url: an API key that looks like this would be odd. */
export function looksLikeToken(credential: string): boolean {
  return /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(credential);
}

function tenantKeys(
  { authorityHost, tenantId }: EntraSettings,
  { fetch, cooldownMs = 30_000 }: EntraTokensDeps,
): JWTVerifyGetKey {
  const url = new URL(`${authorityHost}/${tenantId}/discovery/v2.0/keys`);
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: readTimeoutMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: keysMaxAgeMs,
    ...(fetch ? { [customFetch]: fetch } : {}),
  });
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
      throw new KeysUnreachable('the keys of the Entra tenant cannot be read', { cause: error });
    }
  };
}

function issuersOf({ authorityHost, tenantId }: EntraSettings): string[] {
  const isChina = /\.(?:chinacloudapi|microsoftonline)\.cn$/.test(new URL(authorityHost).hostname);
  const versionOneHost = isChina ? 'https://sts.chinacloudapi.cn' : 'https://sts.windows.net';
  return [`${authorityHost}/${tenantId}/v2.0`, `${versionOneHost}/${tenantId}/`];
}

function identify(payload: JWTPayload, tenantId: string): Identity {
  const parsed = claims.safeParse(payload);
  if (!parsed.success || parsed.data.tid.toLowerCase() !== tenantId) {
    return unknown('The token is of another tenant.');
  }
  const { appid, azp, oid, roles } = parsed.data;
  const id = appid ?? azp ?? oid;
  if (id === undefined || !/^[\w.-]{1,64}$/.test(id)) return unknown('The token names no application.');
  const granted = roles.flatMap(
    (role) => (Object.hasOwn(scopesOfRole, role) ? scopesOfRole[role] : undefined) ?? [],
  );
  // No API key can have this name: the colon separates the parts of its entry.
  return { kind: 'known', caller: { name: `entra:${id}`, scopes: new Set(granted) } };
}

function unknown(why: string): Identity {
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
