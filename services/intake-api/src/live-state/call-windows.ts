import type { LedgerCall } from '@diq/quota/ledger/replies.ts';

const shownWindows = 24;

/** When the oldest window that is shown begins. Windows begin at multiples of their length, so they stand still. */
export function shownSinceMs(nowMs: number, windowMs: number): number {
  return (Math.floor(nowMs / windowMs) - shownWindows + 1) * windowMs;
}

/** The last windows, oldest first; the last one is not over. A call belongs to the window in which it was made. */
export function callWindows(calls: readonly LedgerCall[], nowMs: number, windowMs: number) {
  const sinceMs = shownSinceMs(nowMs, windowMs);
  const windows = Array.from({ length: shownWindows }, (_, i) => ({
    from: new Date(sinceMs + i * windowMs).toISOString(),
    to: new Date(sinceMs + (i + 1) * windowMs).toISOString(),
    /** By outcome; only those that came up. */
    calls: {} as Record<string, number>,
  }));
  for (const { spentAt, outcome } of calls) {
    const window = windows[Math.floor((spentAt - sinceMs) / windowMs)];
    if (window) window.calls[outcome] = (window.calls[outcome] ?? 0) + 1;
  }
  return windows;
}
