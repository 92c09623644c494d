import type { RedisConnection } from '@diq/redis/connection.ts';
import type { Ledger } from '../ledger/ledger.ts';

// Judged is not what the ledger writes down but what arrives at Defender: some moment after the permit was granted and
// before the answer is back, noted on the clock that the ledger reads, to the microsecond.

const now = `local clock = redis.call('TIME') return clock[1] * 1000000 + clock[2]`;

/** Arrives at Defender now. @returns when, in microseconds; `undefined` once the call must have been given up */
export async function arrive(redis: RedisConnection, givenUpAtMs: number): Promise<number | undefined> {
  const atMicros = Number(await redis.eval(now, 0));
  return atMicros < givenUpAtMs * 1_000 ? atMicros : undefined;
}

/** Brute force: every window that begins with an arrival, each arrival counted. A window includes its start only. */
export function mostInAnyWindow(timesMicros: readonly number[], windowMs: number): number {
  const counts = timesMicros.map(
    (start) => timesMicros.filter((time) => time >= start && time < start + windowMs * 1_000).length,
  );
  return Math.max(0, ...counts);
}

/** Opens it as a worker that knows that nothing was called before. */
export async function openWithoutHold(ledger: Ledger): Promise<void> {
  await ledger.open();
  await ledger.endColdStart();
}
