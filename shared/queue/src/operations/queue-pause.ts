import { serverTimeMs } from '@diq/redis/ask-owner.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import { loadScript } from '@diq/redis/script.ts';
import { entryOf } from './audit-log.ts';
import type { Actor } from './audit-log.ts';
import { createWake } from '../scheduling/wakes.ts';
import { storeKeys } from '../store-keys.ts';

/** A pause that is on: who said so, why, since when and until when. Times are of Redis' clock. */
export interface Pause {
  by: string;
  /** Of a person, for people to read. */
  displayName?: string | undefined;
  reason: string | undefined;
  sinceMs: number;
  /** Beyond the year 9999 for one that ends only when it is ended. */
  untilMs: number;
}

/** Some 250,000 years after 1970: a whole number to Redis and Lua, and still a time to JavaScript. */
const withoutEndMs = 8_000_000_000_000_000;

const script = loadScript(new URL('../lua/pause.lua', import.meta.url), { whenFull: true });
const reply = z.tuple([z.number(), z.number()]);
const detail = z.object({
  by: z.string(),
  displayName: z.string().optional(),
  reason: z.string().optional(),
});
const stored = z.object({ detail: z.string(), since: z.coerce.number(), until: z.coerce.number() });

/** The operators' hold: while it is on no call is made. Other holds are left alone. */
export function createQueuePause(redis: RedisConnection, keySpace: string, auditKeptMs: number) {
  const { pause: key, audit } = storeKeys(keySpace);
  const { holds } = ledgerKeys(keySpace);
  const keys = [holds, key, audit];
  const wake = createWake(redis, keySpace);

  return {
    /** Sets it, or sets it anew. Without an end it lasts until it is ended. */
    async pause(actor: Actor, untilMs: number = withoutEndMs): Promise<void> {
      const { name, displayName, reason } = actor;
      const hasEnd = untilMs !== withoutEndMs;
      const entry = entryOf('pause', actor, hasEnd ? { until: new Date(untilMs).toISOString() } : {});
      const args = [
        untilMs,
        JSON.stringify({ by: name, displayName, reason }),
        JSON.stringify(entry),
        auditKeptMs,
      ];
      await script(redis, keys, args);
      // It may end sooner than the one before.
      wake('free');
    },
    /** @returns whether it was on */
    async resume(actor: Actor): Promise<boolean> {
      const args = ['', '', JSON.stringify(entryOf('resume', actor)), auditKeptMs];
      const [wasOn] = reply.parse(await script(redis, keys, args));
      wake('free');
      return wasOn === 1;
    },
    /** The pause that is on, if one is. */
    async find(): Promise<Pause | undefined> {
      const [hash, nowMs] = await Promise.all([redis.hgetall(key), serverTimeMs(redis, key)]);
      if (hash['detail'] === undefined) return undefined;
      const { since, until, ...found } = stored.parse(hash);
      if (until <= nowMs) return undefined;
      const { by, reason, ...person } = detail.parse(JSON.parse(found.detail));
      return { by, ...person, reason, sinceMs: since, untilMs: until };
    },
  };
}
