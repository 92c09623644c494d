import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { callerKeys } from '@diq/queue/store-keys.ts';
import { loadScript } from '@diq/redis/script.ts';
import type { ApiKey, Caller } from '../config/callers.ts';

const openScript = loadScript(new URL('./lua/open-session.lua', import.meta.url));

/** Of one key at a time; the oldest goes when there is another one. */
const maxSessions = 100;
const secretBytes = 32;
const tokenPattern = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})~([A-Za-z0-9_-]{43})$/;

export type SessionStore = ReturnType<typeof createSessionStore>;

/** Sessions of people, each begun with an API key and as good as that key. All intakes know all of them. */
export function createSessionStore(options: {
  redis: RedisConnection;
  /** As they are at the moment. */
  keys: () => readonly ApiKey[];
  lifetimeMs?: number;
}) {
  const { redis, keys, lifetimeMs = 8 * 3_600_000 } = options;

  /** What the token may be known by: of the keys of its name, so that no others are tried. There are seldom two. */
  function locate(token: string): { key: ApiKey; member: string }[] {
    const [, name, secret] = tokenPattern.exec(token) ?? [];
    if (secret === undefined) return [];
    const named = keys().filter((known) => known.name === name);
    return named.map((key) => ({ key, member: memberOf(secret, key) }));
  }

  return {
    /**
     * What the browser keeps: random, and worth nothing once the session or its key is gone. `undefined` for a credential
     * that is no API key.
     */
    async open(credential: string): Promise<{ token: string; endsAtMs: number } | undefined> {
      const digest = createHash('sha256').update(credential).digest();
      const key = keys().find(({ sha256 }) => sha256.equals(digest));
      if (!key) return undefined;
      const secret = randomBytes(secretBytes).toString('base64url');
      const nowMs = Date.now();
      const endsAtMs = nowMs + lifetimeMs;
      const set = callerKeys(key.name).sessions;
      await openScript(redis, [set], [nowMs, endsAtMs, memberOf(secret, key), maxSessions, lifetimeMs]);
      return { token: `${key.name}~${secret}`, endsAtMs };
    },
    /** Who is signed in to the status page, and until when; `undefined` for a session that is over, or whose API key is gone. */
    async find(token: string): Promise<{ caller: Caller; endsAtMs: number } | undefined> {
      for (const { key, member } of locate(token)) {
        const endsAtMs = Number(await redis.zscore(callerKeys(key.name).sessions, member));
        if (endsAtMs <= Date.now()) continue;
        // As the key is now: it may have lost a scope since. More than looking is never given.
        const scopes = new Set(key.scopes.has('read') ? (['read'] as const) : []);
        const caller = { name: key.name, scopes, ...(key.tenants && { tenants: key.tenants }) };
        return { caller, endsAtMs };
      }
      return undefined;
    },
    async close(token: string): Promise<void> {
      for (const { key, member } of locate(token)) await redis.zrem(callerKeys(key.name).sessions, member);
    },
  };
}

/** Another key of the same name gives another digest; and a reader of Redis cannot make a token of it. */
function memberOf(secret: string, { sha256 }: ApiKey): string {
  return createHmac('sha256', sha256).update(secret).digest('base64url');
}
