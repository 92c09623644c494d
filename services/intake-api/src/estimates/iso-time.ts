/** The last instant that a four-digit year can express. */
const latestMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** ISO 8601 in UTC; `undefined` for a time so far off that it means "nobody knows", as during a pause without end. */
export function isoTime(timeMs: number): string | undefined {
  return timeMs <= latestMs ? new Date(timeMs).toISOString() : undefined;
}
