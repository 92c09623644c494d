/**
 * Longest wait taken over from a server: 24 hours. Quotas and outages end sooner; without a bound one
 * mistyped header would stop the queue for months.
 */
export const maxRetryAfterMs = 24 * 3_600_000;

/** A header as undici hands it over: a list when the server sent it several times. */
export type HeaderValue = string | readonly string[] | undefined;

/**
 * Retry-After (RFC 9110, 10.2.3) of an answer in milliseconds from now, between 0 and {@link maxRetryAfterMs}.
 * Undefined when it is absent, unreadable or in the past. Of several values the longest counts.
 *
 * @param headers by their names in lower case. A date is measured against the answer's own `Date`, so that our clock's
 * error cancels out
 * @param nowMs local time, used when the answer carries no readable `Date`
 */
export function parseRetryAfter(
  headers: Readonly<Record<string, HeaderValue>>,
  nowMs = Date.now(),
): number | undefined {
  const [date = ''] = [headers['date'] ?? []].flat();
  const fromMs = parseHttpDate(date.trim()) ?? nowMs;
  const waits = [headers['retry-after'] ?? []]
    .flat()
    .map((value) => waitOf(value.trim(), fromMs))
    .filter((wait) => wait !== undefined);
  return waits.length === 0 ? undefined : Math.min(Math.max(...waits), maxRetryAfterMs);
}

function waitOf(value: string, fromMs: number): number | undefined {
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const waitMs = (parseHttpDate(value) ?? Number.NaN) - fromMs;
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
