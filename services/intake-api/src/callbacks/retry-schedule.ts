/** When a callback that failed is tried again. Times in ms. */
export interface RetrySchedule {
  /** Before the second attempt, the third, …; the last one before all further. */
  delaysMs: readonly number[];
  /** Counted from the first attempt: the last one is made at this time. */
  giveUpAfterMs: number;
}

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

/** Some 14 attempts within 24 h: quick where a receiver restarts, patient where it is mended. */
export const standardSchedule: RetrySchedule = {
  delaysMs: [5 * second, 30 * second, 2 * minute, 10 * minute, 30 * minute, hour, 2 * hour, 4 * hour],
  giveUpAfterMs: 24 * hour,
};

/** A delay is stretched by up to this part of itself, so that what failed together does not come back together. */
const jitter = 0.2;
/** Longest wait taken over from a receiver: one mistyped header must not use up the 24 hours. */
const maxRetryAfterMs = 6 * hour;

interface FailedAttempts {
  /** Made so far, the last one included. */
  attempts: number;
  /** Since the first one. */
  elapsedMs: number;
  /** What the receiver asked for. */
  retryAfterMs: number | undefined;
}

/** The wait until the next attempt; `undefined` when the last one was made. `random` gives 0 up to 1. */
export function nextDelayMs(
  { delaysMs, giveUpAfterMs }: RetrySchedule,
  { attempts, elapsedMs, retryAfterMs = 0 }: FailedAttempts,
  random: () => number,
): number | undefined {
  const leftMs = giveUpAfterMs - elapsedMs;
  if (leftMs <= 0) return undefined;
  const regularMs = (delaysMs[Math.min(attempts, delaysMs.length) - 1] ?? 0) * (1 + jitter * random());
  return Math.ceil(Math.min(Math.max(regularMs, Math.min(retryAfterMs, maxRetryAfterMs)), leftMs));
}
