import type { Redis } from 'ioredis';
import { waitFor } from './wait-for.ts';

/** By Redis' own clock, by which its scripts decide. */
export async function redisNowMs(redis: Pick<Redis, 'time'>): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Math.floor(Number(seconds) * 1_000 + Number(microseconds) / 1_000);
}

/** Resolves once it is later than that by Redis' own clock. */
export async function untilRedisIsPast(redis: Pick<Redis, 'time'>, atMs: number): Promise<void> {
  await waitFor(async () => (await redisNowMs(redis)) > atMs, {
    what: `the clock of Redis to pass ${atMs}`,
    intervalMs: 5,
  });
}
