import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { callerKeys } from '@diq/queue/store-keys.ts';
import type { ApiKey, Caller, Scope } from '../config/callers.ts';
import type { Person, PersonSessions } from './person-sessions.ts';
import { openInRedis, sessionSecretBytes } from './session-set.ts';

/**
 * `acting`: has the scopes of its key, but for `irreversible`. `looking`: has `read` alone, and lasts long, for a screen on a
 * wall.
 */
export type SessionKind = 'acting' | 'looking';

const hourMs = 3_600_000;
const defaultLifetimesMs: Readonly<Record<SessionKind, number>> = {
  acting: 8 * hourMs,
  looking: 30 * 24 * hourMs,
};

/** Tokens of one browser that are looked at when its sessions end. */
const closedAtMost = 8;

const tokenPattern = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})~(acting|looking)~([A-Za-z0-9_-]{43})$/;

export type SessionStore = ReturnType<typeof createSessionStore>;

/**
 * Sessions of people, each begun with an API key and as good as that key, or by signing in with Entra ID. All intakes know all
 * of them.
 */
export function createSessionStore(options: {
  redis: RedisConnection;
  /** As they are at the moment. */
  keys: () => readonly ApiKey[];
  /** Of people who sign in with Entra ID; left out: none can. */
  persons?: PersonSessions | undefined;
  lifetimesMs?: Readonly<Record<SessionKind, number>>;
}) {
  const { redis, keys, persons, lifetimesMs = defaultLifetimesMs } = options;

  /** What the token may be known by: of the keys of its name, so that no others are tried. There are seldom two. */
  function locate(token: string): { key: ApiKey; kind: SessionKind; set: string; member: string }[] {
    const [, name, word, secret] = tokenPattern.exec(token) ?? [];
    if (secret === undefined) return [];
    const kind = word === 'acting' ? 'acting' : 'looking';
    const named = keys().filter((known) => known.name === name);
    return named.map((key) => ({ key, kind, set: setOf(key, kind), member: memberOf(secret, kind, key) }));
  }

  /**
   * Where the sessions of these tokens stand in Redis, as short texts without a secret, of so many at most: a browser brings
   * two cookies of ours, and only a sender of its own making brings more.
   */
  function placesOf(tokens: readonly string[]): string[] {
    const places = tokens.slice(0, closedAtMost).flatMap((token) => {
      if (persons?.isToken(token)) return persons.locate(token);
      return locate(token).map(({ set, member }) => ({ set, member }));
    });
    return [...new Set(places.map(({ set, member }) => `${set} ${member}`))];
  }

  /** All at once; on a cluster they belong to several nodes. */
  async function endPlaces(places: readonly string[]): Promise<void> {
    await Promise.all(
      places.slice(0, 2 * closedAtMost).map(async (place) => {
        const [set = '', member] = place.split(' ');
        if (member !== undefined) await redis.zrem(set, member);
      }),
    );
  }

  function ofPersons(): PersonSessions {
    if (!persons) throw new Error('people sign in by API key alone');
    return persons;
  }

  return {
    /**
     * What the browser keeps: random, and worth nothing once the session or its key is gone. `undefined` for a credential
     * that is no API key.
     */
    async open(
      credential: string,
      kind: SessionKind = 'acting',
    ): Promise<{ token: string; endsAtMs: number } | undefined> {
      const digest = createHash('sha256').update(credential).digest();
      const key = keys().find(({ sha256 }) => sha256.equals(digest));
      if (!key) return undefined;
      const secret = randomBytes(sessionSecretBytes).toString('base64url');
      const member = memberOf(secret, kind, key);
      const endsAtMs = await openInRedis(redis, setOf(key, kind), member, lifetimesMs[kind]);
      return { token: `${key.name}~${kind}~${secret}`, endsAtMs };
    },
    /** The same for a person, as an acting one. @throws where Entra ID is not set up */
    async openForPerson(person: Person): Promise<{ token: string; endsAtMs: number }> {
      return await ofPersons().open(person, lifetimesMs.acting);
    },
    /** @throws where Entra ID is not set up */
    callerOf: (person: Person): Caller => ofPersons().callerOf(person),
    /** Who is signed in to the status page, and until when; `undefined` for a session that is over, or whose API key is gone. */
    async find(token: string): Promise<{ caller: Caller; endsAtMs: number } | undefined> {
      if (persons?.isToken(token)) return await persons.find(token);
      for (const { key, kind, set, member } of locate(token)) {
        const endsAtMs = Number(await redis.zscore(set, member));
        if (endsAtMs <= Date.now()) continue;
        const scopes = scopesOf(key, kind);
        const caller: Caller = {
          name: key.name,
          scopes,
          ...(kind === 'looking' && { onlyLooks: true }),
          ...(key.tenants && { tenants: key.tenants }),
        };
        return { caller, endsAtMs };
      }
      return undefined;
    },
    placesOf,
    /** Ends the sessions of these tokens. */
    async close(...tokens: string[]): Promise<void> {
      await endPlaces(placesOf(tokens));
    },
    /** Ends the sessions that stand there. */
    endPlaces,
  };
}

/** As the key is now: it may have lost a scope since. A key that may no longer read gives nothing. */
function scopesOf({ scopes }: ApiKey, kind: SessionKind): Set<Scope> {
  if (!scopes.has('read')) return new Set();
  if (kind === 'looking') return new Set(['read']);
  // What cannot be undone takes the key itself: a browser left open, or its cookie, is never enough.
  return new Set([...scopes].filter((scope) => scope !== 'irreversible'));
}

/** Kinds have sets of their own: screens on walls never crowd out the people. */
function setOf({ name }: ApiKey, kind: SessionKind): string {
  const { sessions, lookingSessions } = callerKeys(name);
  return kind === 'acting' ? sessions : lookingSessions;
}

/**
 * Another key of the same name gives another digest, and so does another kind: a session that looks is never made one that
 * acts. A reader of Redis cannot make a token of it.
 */
function memberOf(secret: string, kind: SessionKind, { sha256 }: ApiKey): string {
  return createHmac('sha256', sha256).update(`${kind}~${secret}`).digest('base64url');
}
