import type { KnownStart } from '@diq/quota/ledger.ts';
import type { DefenderReader, Investigation, ReadFailure } from './defender/defender-reader.ts';
import type { TokenProvider } from './defender/token-provider.ts';

/** Defender tells a start by the whole second, rounded down. */
const roundingMs = 1_000;
/** By how much Defender's clock may be behind Redis' without a window being cut short. */
export const clockSlackMs = 5_000;

/** Defender's list of what was started, or why it could not be had. */
export type StartedReading =
  | { kind: 'read'; value: readonly Investigation[] }
  | {
      kind: 'unreadable';
      reason: ReadFailure | 'not-found' | 'no-token';
      retryAfterMs?: number | undefined;
    };

/** Reads, with the worker's own token, which investigations began since then. Never rejects on Defender's account. */
export function createReadStarted(reader: Pick<DefenderReader, 'listInvestigations'>, tokens: TokenProvider) {
  return async (startedSinceMs: number): Promise<StartedReading> => {
    const got = await tokens.get();
    if (got.kind === 'unavailable') {
      return { kind: 'unreadable', reason: 'no-token', retryAfterMs: got.retryAfterMs };
    }
    const reading = await reader.listInvestigations(got.token, { startedSinceMs });
    if (reading.kind === 'not-found') return { kind: 'unreadable', reason: 'not-found' };
    if (reading.kind === 'unreadable' && reading.reason === 'token-rejected') {
      await tokens.renewAfterRejection(got.token);
    }
    return reading;
  };
}

/** From when on an investigation may still count in a window that ends now. */
export function countsSinceMs(nowMs: number, windowMs: number): number {
  return nowMs - windowMs - roundingMs - clockSlackMs;
}

/**
 * What Defender lists as calls of the ledger, the latest first and no more than the limit: further ones change nothing.
 * One whose start is not told was only just begun.
 */
export function knownStarts(
  investigations: readonly Investigation[],
  { nowMs, limit }: { nowMs: number; limit: number },
): KnownStart[] {
  return investigations
    .map(({ id, machineId = '', startTimeMs = nowMs }) => ({
      callId: `investigation-${id}`,
      machineId,
      startedAtMs: startTimeMs,
      countsFromMs: startTimeMs + roundingMs + clockSlackMs,
      facts: { investigationId: id },
    }))
    .toSorted((one, other) => other.countsFromMs - one.countsFromMs)
    .slice(0, limit);
}
