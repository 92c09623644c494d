import { randomBytes, randomUUID, createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from './clock.ts';

export interface TokenHolder {
  tenantId: string;
  clientId: string;
}

export type TokenCheck = { kind: 'valid'; holder: TokenHolder } | { kind: 'refused'; reason: string };

/** The access tokens that were issued here and are still good. */
export interface Tokens {
  issue(holder: TokenHolder): string;
  /** Judges an `Authorization` header. */
  check(authorization: string | undefined): TokenCheck;
  /** Makes every issued token worthless and says how many there were. */
  revokeAll(): number;
}

export function createTokens(
  clock: Clock,
  { tokenLifetimeS: lifetimeS, roles }: { tokenLifetimeS: number; roles: readonly string[] },
): Tokens {
  const issued = new Map<string, { holder: TokenHolder; expiresAtMs: number }>();

  const forgetExpired = (nowMs: number) => {
    for (const [token, { expiresAtMs }] of issued) if (expiresAtMs <= nowMs) issued.delete(token);
  };

  return {
    issue(holder) {
      const nowMs = clock.monotonicMs();
      forgetExpired(nowMs);
      const token = tokenText(holder, {
        nowS: Math.floor(clock.wallMs() / 1000),
        lifetimeS,
        roles,
      });
      issued.set(token, { holder, expiresAtMs: nowMs + lifetimeS * 1000 });
      return token;
    },
    check(authorization) {
      const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
      if (token === undefined) return { kind: 'refused', reason: 'No bearer token' };
      const known = issued.get(token);
      if (known === undefined) return { kind: 'refused', reason: 'Token is invalid' };
      if (known.expiresAtMs <= clock.monotonicMs()) return { kind: 'refused', reason: 'Token has expired' };
      return { kind: 'valid', holder: known.holder };
    },
    revokeAll() {
      const count = issued.size;
      issued.clear();
      return count;
    },
  };
}

/** Looks like Entra ID's, with the recorded claims. The signature is random: what counts is being remembered. */
function tokenText(
  { tenantId, clientId }: TokenHolder,
  { nowS, lifetimeS, roles }: { nowS: number; lifetimeS: number; roles: readonly string[] },
): string {
  const header = { typ: 'JWT', alg: 'RS256', kid: 'simulator' };
  const claims = {
    aud: 'https://api.securitycenter.microsoft.com',
    iss: `https://sts.windows.net/${tenantId}/`,
    iat: nowS,
    nbf: nowS,
    exp: nowS + lifetimeS,
    app_displayname: 'defender-simulator client',
    appid: clientId,
    appidacr: '1',
    roles,
    tid: tenantId,
    uti: randomUUID(),
    ver: '1.0',
  };
  return `${encode(header)}.${encode(claims)}.${randomBytes(48).toString('base64url')}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

/** Compares two secrets in a time that reveals nothing about them. */
export function sameSecret(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
