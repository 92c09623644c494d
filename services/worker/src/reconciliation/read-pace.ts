import type { Reading } from '../defender/defender-reader.ts';

/** A read that was not made, to leave the quota of Defender's reads to others. */
export interface Paced {
  readonly kind: 'unreadable';
  readonly reason: 'paced';
  readonly retryAfterMs: number;
}

export interface ReadPace {
  /** Makes the read, unless too many were made lately or Defender asked to be left alone. */
  ask<T>(read: () => Promise<Reading<T>>): Promise<Reading<T> | Paced>;
}

export interface ReadPaceOptions {
  readonly reads: number;
  readonly perMs: number;
  /** A clock that only moves forward. */
  readonly nowMs?: () => number;
}

/** Defender allows 100 reads a minute and 1500 an hour to all workers together, and to everybody else. */
export function createReadPace({ reads, perMs, nowMs = () => performance.now() }: ReadPaceOptions): ReadPace {
  const madeAtMs: number[] = [];
  let pausedUntilMs = 0;

  function waitMs(): number {
    const now = nowMs();
    while (madeAtMs[0] !== undefined && madeAtMs[0] <= now - perMs) madeAtMs.shift();
    const [oldest = now] = madeAtMs;
    const freeAtMs = madeAtMs.length < reads ? now : oldest + perMs;
    return Math.max(freeAtMs, pausedUntilMs) - now;
  }

  return {
    async ask(read) {
      const retryAfterMs = waitMs();
      if (retryAfterMs > 0) return { kind: 'unreadable', reason: 'paced', retryAfterMs };
      madeAtMs.push(nowMs());
      const reading = await read();
      if (reading.kind === 'unreadable' && reading.retryAfterMs !== undefined) {
        pausedUntilMs = Math.max(pausedUntilMs, nowMs() + reading.retryAfterMs);
      }
      return reading;
    },
  };
}
