/**
 * A Retry-After header (RFC 9110, 10.2.3) in ms from now; `undefined` when it is absent, unreadable or in the past.
 */
export function parseRetryAfterMs(header: string | string[] | undefined, nowMs: number): number | undefined {
  const value = [header ?? ''].flat()[0]?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  // Date.parse alone would take much that is no HTTP date.
  if (!/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(value)) return undefined;
  const waitMs = Date.parse(value) - nowMs;
  return waitMs >= 0 ? waitMs : undefined;
}
