import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';

const openScript = loadScript(new URL('./lua/open-session.lua', import.meta.url));

/** Of one caller and kind at a time; the oldest goes when there is another one. */
const maxSessions = 100;

/** Of the random part of a token. */
export const sessionSecretBytes = 32;

/** Adds a session to a caller's, of which there are at most so many, and returns when it ends. */
export async function openInRedis(
  redis: RedisConnection,
  set: string,
  member: string,
  lifetimeMs: number,
  most = maxSessions,
): Promise<number> {
  const nowMs = Date.now();
  const endsAtMs = nowMs + lifetimeMs;
  await openScript(redis, [set], [nowMs, endsAtMs, member, most, lifetimeMs]);
  return endsAtMs;
}
