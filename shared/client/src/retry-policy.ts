/** Attempts of one call, the first included. */
const mostAttempts = 5;
const firstPauseMs = 500;
const longestPauseMs = 10_000;

/** What came of an attempt: a status, or none where no answer came. */
export interface Attempted {
  /** How many were made, this one included. */
  count: number;
  status: number | undefined;
  code: string;
  retryAfterMs: number | undefined;
  /** Whether the same call once more does no harm after one whose answer was lost. */
  isRepeatable: boolean;
}

/** The service refused and did nothing. */
const refusals: readonly number[] = [429, 503];
/** What was asked may have been done. */
const lostAnswers: readonly number[] = [408, 502, 504];

/**
 * How long to wait before the same call is made again, in ms; `undefined` where it is not. Pauses double, with a random
 * part so that callers who failed together come back apart; a longer `Retry-After` counts.
 *
 * @param random from 0 to 1
 */
export function pauseBeforeRetry(attempted: Attempted, random: number): number | undefined {
  if (attempted.count >= mostAttempts || !mayHelp(attempted)) return undefined;
  const doubled = Math.min(firstPauseMs * 2 ** (attempted.count - 1), longestPauseMs);
  const pauseMs = doubled / 2 + (doubled / 2) * random;
  return Math.max(pauseMs, (attempted.retryAfterMs ?? 0) + firstPauseMs * random);
}

function mayHelp({ status, code, isRepeatable }: Attempted): boolean {
  if (code === 'answer_too_large' || code === 'redirected' || code === 'unexpected_answer') return false;
  // The first attempt with this key is still being answered.
  if (code === 'idempotency_in_flight') return true;
  if (status !== undefined && refusals.includes(status)) return true;
  const isLost = status === undefined || lostAnswers.includes(status);
  return isLost && isRepeatable;
}
