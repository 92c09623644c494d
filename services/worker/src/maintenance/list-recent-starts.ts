import type { KnownStart } from '@diq/quota/ledger/ledger.ts';
import type { DefenderReader, Investigation, ReadFailure, Rows } from '../defender/defender-reader.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';

/** Defender reports a start in whole seconds, rounded down. */
const roundingMs = 1_000;
/** By how much Defender's clock may be behind Redis' without a window being cut short. */
export const clockSlackMs = 5_000;

/** Defender's list of started investigations, or why it could not be read. */
export type StartedReading =
  | { kind: 'read'; value: Rows<Investigation> }
  | {
      kind: 'unreadable';
      reason: ReadFailure | 'not_found' | 'no_token';
      retryAfterMs?: number | undefined;
      httpStatus?: number | undefined;
      /** For a missing token. */
      code?: string | undefined;
    };

/** Reads, with the worker's own token, which investigations began since then. Never rejects because of Defender. */
export function createReadStarted(reader: Pick<DefenderReader, 'listInvestigations'>, tokens: TokenProvider) {
  return async (startedSinceMs: number): Promise<StartedReading> => {
    const got = await tokens.get();
    if (got.kind === 'unavailable') {
      return { kind: 'unreadable', reason: 'no_token', retryAfterMs: got.retryAfterMs, code: got.code };
    }
    const reading = await reader.listInvestigations(got.token, { startedSinceMs });
    if (reading.kind === 'not_found') return { kind: 'unreadable', reason: 'not_found', httpStatus: 404 };
    if (reading.kind === 'unreadable' && reading.reason === 'token_rejected') {
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
 * One without a start time, or with one in the future, counts from now; a row that cannot be read counts as a call as well.
 */
export function knownStarts(
  { records, odd }: Rows<Investigation>,
  { nowMs, limit }: { nowMs: number; limit: number },
): KnownStart[] {
  const starts = new Map<string, KnownStart>();
  const add = (callId: string, start: Partial<Investigation>, facts: KnownStart['facts']): void => {
    const startedAtMs = Math.min(start.startTimeMs ?? nowMs, nowMs);
    // What is listed on two pages is one call, and the later time the safer one.
    if ((starts.get(callId)?.startedAtMs ?? -Infinity) > startedAtMs) return;
    const countsFromMs = startedAtMs + roundingMs + clockSlackMs;
    starts.set(callId, { callId, machineId: start.machineId ?? '', startedAtMs, countsFromMs, facts });
  };
  for (const one of records) add(`investigation-${one.id}`, one, { investigationId: one.id });
  for (const [i, { atMs, machineId }] of odd.entries()) {
    add(`unreadable-${i + 1}`, { startTimeMs: atMs, machineId }, {});
  }
  return [...starts.values()].toSorted((one, other) => other.countsFromMs - one.countsFromMs).slice(0, limit);
}
