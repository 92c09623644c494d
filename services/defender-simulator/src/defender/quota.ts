/**
 * `rolling`: at most `limit` counted calls in any stretch of `windowMs`.
 * `fixed`: a window opens with its first counted call and lasts `windowMs`; then the count starts anew.
 */
export interface QuotaRule {
  limit: number;
  windowMs: number;
  kind: 'rolling' | 'fixed';
}

/** An exact count of calls. Times are monotonic milliseconds and must not decrease from call to call. */
export interface Quota {
  /** 0 when a call at this time is within the limit, else how long until one would be. */
  retryAfterMs(atMs: number): number;
  /** Counts one call, whether or not it is within the limit. */
  count(atMs: number): void;
  /** Calls counted in the window that this time lies in. */
  used(atMs: number): number;
  reset(): void;
}

export function createQuota({ limit, windowMs, kind }: QuotaRule): Quota {
  let counted: number[] = [];

  const forget = (atMs: number): void => {
    if (kind === 'fixed') {
      const opened = counted[0];
      if (opened !== undefined && atMs - opened >= windowMs) counted = [];
      return;
    }
    const firstInWindow = counted.findIndex((countedAtMs) => atMs - countedAtMs < windowMs);
    counted = firstInWindow === -1 ? [] : counted.slice(firstInWindow);
  };

  return {
    retryAfterMs(atMs) {
      forget(atMs);
      if (counted.length < limit) return 0;
      // In a rolling window the count falls below the limit when all but limit - 1 calls have left.
      const blocking = kind === 'fixed' ? counted[0] : counted[counted.length - limit];
      return blocking === undefined ? 0 : blocking + windowMs - atMs;
    },
    count(atMs) {
      forget(atMs);
      counted.push(atMs);
    },
    used(atMs) {
      forget(atMs);
      return counted.length;
    },
    reset() {
      counted = [];
    },
  };
}
