import { createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { callerKeys } from '@diq/queue/store-keys.ts';
import { guid, type EntraSettings, type SignInSettings } from '../config/auth-settings.ts';
import type { Caller } from '../config/callers.ts';
import { scopesOfRoles } from './entra-roles.ts';
import { secretFor } from './pending-sign-in.ts';
import { openInRedis, sessionSecretBytes } from './session-set.ts';

/** Who has signed in with Entra ID. */
export interface Person {
  /** Of the person in the tenant, a GUID. */
  oid: string;
  /** `undefined` where Entra ID names none. */
  displayName?: string | undefined;
  /** Those of the application that mean something here. */
  roles: string[];
}

/** Tokens of other sessions do not begin like this: no API key has a colon in its name. */
const prefix = 'person:';
const tokenPattern = /^person:([\w-]{1,900}):([\w-]{43})$/;

const content = z.object({ oid: guid, displayName: z.string().optional(), roles: z.array(z.string()) });

export type PersonSessions = ReturnType<typeof createPersonSessions>;

/**
 * Sessions of people who signed in with Entra ID. What is known of a person stands in the token, and in Redis a digest of the
 * whole token under a secret of the intakes: neither a browser nor a writer of Redis can make one up. They are over when the
 * client secret or the application is another one.
 */
export function createPersonSessions(
  redis: RedisConnection,
  { tenantId, tenants }: Pick<EntraSettings, 'tenantId' | 'tenants'>,
  { clientId, clientSecret }: Pick<SignInSettings, 'clientId' | 'clientSecret'>,
) {
  const secret = secretFor(`session of ${clientId}`, clientSecret);
  const memberOf = (token: string) => createHmac('sha256', secret).update(token).digest('base64url');
  /** The same caller as with an access token that the person got for this application. */
  const callerName = (oid: string) => `entra:${clientId}/${oid}`;
  const setOf = (oid: string) => callerKeys(callerName(oid)).sessions;

  function callerOf({ oid, displayName, roles }: Person): Caller {
    return {
      name: callerName(oid),
      // No role grants it today; no session ever has it.
      scopes: new Set([...scopesOfRoles(roles)].filter((scope) => scope !== 'irreversible')),
      tenants,
      entraTenantId: tenantId,
      ...(displayName !== undefined && { displayName }),
    };
  }

  return {
    isToken: (token: string) => token.startsWith(prefix),
    async open(person: Person, lifetimeMs: number): Promise<{ token: string; endsAtMs: number }> {
      const described = Buffer.from(JSON.stringify(person)).toString('base64url');
      const token = `${prefix}${described}:${randomBytes(sessionSecretBytes).toString('base64url')}`;
      return { token, endsAtMs: await openInRedis(redis, setOf(person.oid), memberOf(token), lifetimeMs) };
    },
    async find(token: string): Promise<{ caller: Caller; endsAtMs: number } | undefined> {
      const person = read(token);
      if (!person) return undefined;
      const endsAtMs = Number(await redis.zscore(setOf(person.oid), memberOf(token)));
      if (endsAtMs <= Date.now()) return undefined;
      return { caller: callerOf(person), endsAtMs };
    },
    /** Where its session stands in Redis. */
    locate(token: string): { set: string; member: string }[] {
      const person = read(token);
      return person ? [{ set: setOf(person.oid), member: memberOf(token) }] : [];
    },
    callerOf,
  };
}

/** What the token says, which is true once its digest was found. */
function read(token: string): Person | undefined {
  const [, described] = tokenPattern.exec(token) ?? [];
  if (described === undefined) return undefined;
  try {
    return content.parse(JSON.parse(Buffer.from(described, 'base64url').toString('utf8')));
  } catch {
    return undefined;
  }
}
