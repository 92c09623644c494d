import type { Records } from '@diq/contracts/operations/profile.ts';
import type { DefenderReader, Reading } from '../defender/defender-reader.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import { NotReadable, readOrThrow, type Ask, type LookFailure, type Paced } from './ask.ts';
import { findAction } from './find-action.ts';
import { findInvestigation } from './find-investigation.ts';
import type { Finding, UnresolvedCall } from './finding.ts';

/** What a look gave, or why it was none. */
export type LookedUp = { readonly kind: 'looked'; readonly finding: Finding } | LookFailure;

/** One look in Defender for what became of a call, in the list that the operation's profile names. */
export async function lookUp(
  call: UnresolvedCall,
  deps: { reader: DefenderReader; tokens: TokenProvider; pace: ReadPace; records: Records },
): Promise<LookedUp> {
  const token = await deps.tokens.get();
  if (token.kind === 'unavailable') {
    const later = token.retryAfterMs === undefined ? {} : { retryAfterMs: token.retryAfterMs };
    return { kind: 'unreadable', reason: 'no_token', ...later };
  }
  try {
    return { kind: 'looked', finding: await find(call, token.token, deps) };
  } catch (error) {
    if (!(error instanceof NotReadable)) throw error;
    if (error.why.reason === 'token_rejected') await deps.tokens.renewAfterRejection(token.token);
    return error.why;
  }
}

async function find(
  call: UnresolvedCall,
  token: string,
  { reader, pace, records }: { reader: DefenderReader; pace: ReadPace; records: Records },
): Promise<Finding> {
  const ask: Ask = async (read) => readOrThrow(await pace.ask(() => read(reader, token)));
  return records.list === 'investigations' ? findInvestigation(call, ask) : findAction(call, records, ask);
}

export type ReadPace = ReturnType<typeof createReadPace>;

/**
 * Defender allows 100 reads a minute and 1500 an hour to all workers together, and to every other program.
 *
 * @param nowMs a clock that only moves forward
 */
export function createReadPace({
  reads,
  perMs,
  nowMs = () => performance.now(),
}: {
  reads: number;
  perMs: number;
  nowMs?: () => number;
}) {
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
    /** Makes the read, unless too many were made lately or Defender asked to be left alone. */
    async ask<T>(read: () => Promise<Reading<T>>): Promise<Reading<T> | Paced> {
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
