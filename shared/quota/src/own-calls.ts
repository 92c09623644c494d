import type { Answer } from './ledger.ts';

/** A call as the process that made it remembers it: what the ledger records of it. */
interface OwnCall {
  callId: string;
  dispatchId: string;
  machineId: string;
  /** All times are milliseconds of Redis' clock. */
  spentAt: number;
  callTimeoutMs: number;
  used: number;
  limit: number;
  outcome: string;
  answeredAt?: number;
  facts?: Answer['facts'];
}

/**
 * The calls that this process made, for as long as they count, in case that Redis forgets them. A process never holds
 * more than the quota allows, so the list stays short.
 */
export interface OwnCalls {
  spent(call: Omit<OwnCall, 'outcome'>): void;
  /** `countsFromMs` is when the answer came, or the call must have been given up. The first answer stands. */
  answered(callId: string, answer: Answer, countsFromMs: number): void;
  /** It never left. */
  forget(callId: string): void;
  /** Drops what no window in force can hold any more. */
  forgetBefore(timeMs: number): void;
  /** Whether one of them should be among these, at this moment, and is not. */
  isAnyMissing(seen: ReadonlySet<string>, view: { nowMs: number; windowMs: number }): boolean;
  /** As the scripts take them, see lua/ledger.lua. */
  toArgs(): (string | number)[];
}

/** @param most how many are kept; the newest */
export function createOwnCalls(most: number): OwnCalls {
  const calls = new Map<string, OwnCall & { countsFromMs: number }>();

  return {
    spent(call) {
      const countsFromMs = call.spentAt + call.callTimeoutMs;
      calls.set(call.callId, { ...call, outcome: 'under-way', countsFromMs });
      for (const oldest of [...calls.keys()].slice(0, -most)) calls.delete(oldest);
    },
    answered(callId, { outcome, facts }, countsFromMs) {
      const call = calls.get(callId);
      if (call?.outcome !== 'under-way') return;
      calls.set(callId, { ...call, outcome, facts, answeredAt: countsFromMs, countsFromMs });
    },
    forget: (callId) => void calls.delete(callId),
    forgetBefore(timeMs) {
      for (const { callId, countsFromMs } of calls.values()) if (countsFromMs < timeMs) calls.delete(callId);
    },
    isAnyMissing: (seen, { nowMs, windowMs }) =>
      [...calls.values()].some((call) => call.countsFromMs + windowMs > nowMs && !seen.has(call.callId)),
    toArgs: () =>
      [...calls.values()].flatMap(({ countsFromMs, ...call }) =>
        callArgs(call, countsFromMs, JSON.stringify(call)),
      ),
  };
}

/** One call as the scripts take it. */
export function callArgs(
  call: { callId: string; dispatchId: string; outcome: string },
  countsFromMs: number,
  json: string,
): (string | number)[] {
  return [call.callId, call.dispatchId, Math.ceil(countsFromMs), call.outcome, json];
}
