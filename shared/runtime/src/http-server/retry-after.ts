/**
 * Longest wait taken over from a server: 24 hours. Quotas and outages end sooner; without a bound one
 * mistyped header would stop the queue for months.
 */
export const maxRetryAfterMs = 24 * 3_600_000;

/** A header as undici hands it over: a list when the server sent it several times. */
export type HeaderValue = string | readonly string[] | undefined;

export interface RetryAfterClock {
  /** The answer's own `Date` header. A date is measured against it, so that our clock's error cancels out. */
  readonly responseDate?: HeaderValue;
  /** Local time, used when the answer carries no readable `Date`. */
  readonly nowMs: number;
}

/**
 * Retry-After (RFC 9110, 10.2.3) in milliseconds from now, between 0 and {@link maxRetryAfterMs}.
 * Undefined when it is absent, unreadable or in the past. Of several values the longest counts.
 */
export function parseRetryAfter(header: HeaderValue, clock: RetryAfterClock): number | undefined {
  const waits = [header ?? []]
    .flat()
    .map((value) => waitOf(value.trim(), clock))
    .filter((wait) => wait !== undefined);
  return waits.length === 0 ? undefined : Math.min(Math.max(...waits), maxRetryAfterMs);
}

function waitOf(value: string, { responseDate, nowMs }: RetryAfterClock): number | undefined {
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const untilMs = parseHttpDate(value);
  if (untilMs === undefined) return undefined;
  const [date] = [responseDate ?? []].flat();
  const waitMs = untilMs - (parseHttpDate(date?.trim() ?? '') ?? nowMs);
  return waitMs >= 0 ? waitMs : undefined;
}

/**
 * The three forms of RFC 9110, 5.6.7. `Date.parse` alone would also read "-5" and "1.5" as dates, and the
 * asctime form, which is in GMT without saying so, as local time.
 */
function parseHttpDate(value: string): number | undefined {
  const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/.test(value);
  const named = /^[A-Z][a-z]{2,8}, \d\d[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d GMT$/.test(value);
  if (!asctime && !named) return undefined;
  const timeMs = Date.parse(asctime ? `${value} GMT` : value);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}
