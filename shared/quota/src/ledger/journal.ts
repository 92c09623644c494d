import type { Answer } from './answers-and-holds.ts';
import { parseCall, type LedgerCall } from './replies.ts';

/** A call as the ledger records it, with the text of the record. */
export interface RecordedCall {
  call: LedgerCall;
  json: string;
  /** The time from which its window counts. All times are milliseconds of Redis' clock. */
  countsFromMs: number;
}

interface KnownCall extends RecordedCall {
  /** Made by this process: only this process can say that it was never made. */
  isOwn: boolean;
}

/** The facts of a call when its permit is spent. */
interface SpentCall {
  callId: string;
  taskId: string;
  machineId: string;
  spentAt: number;
  callTimeoutMs: number;
  used: number;
  limit: number;
}

/** The ledger at one instant, as a process that has opened it reads it. */
interface Sighting {
  nowMs: number;
  /** The longest, after which a call counts in none. */
  windowMs: number;
  /** Calls in use; all of those that count from after `sinceMs`. */
  inUse: readonly RecordedCall[];
  sinceMs: number;
}

const inFlight = 'in_flight';

/** As `is_answered` in lua/lib/ledger.lua: a call that was only taken for lost is not. */
const isAnswered = ({ outcome, mayRepeat }: LedgerCall): boolean =>
  outcome !== inFlight && (outcome !== 'lost' || mayRepeat === true);

/**
 * The calls that this process made or read in the ledger, with their outcomes, in case Redis loses them. It reaches as far
 * back as the ledger itself does, and its length is bounded: the oldest calls are dropped first.
 *
 * @param most how many calls are kept
 */
export function createJournal(most: number) {
  const known = new Map<string, KnownCall>();
  /** What the last sighting had in use. */
  let parsed = new Map<string, LedgerCall>();

  function keep(call: KnownCall): void {
    known.set(call.call.callId, call);
    const [oldest] = known.keys();
    if (known.size > most && oldest !== undefined) known.delete(oldest);
  }

  /** Whether the call has to be among those seen, if the ledger has it. */
  function shouldBeSeen({ countsFromMs }: KnownCall, { nowMs, windowMs, sinceMs }: Sighting): boolean {
    return countsFromMs + windowMs > nowMs && countsFromMs > sinceMs;
  }

  return {
    spent(call: SpentCall) {
      const record = { ...call, outcome: inFlight };
      const countsFromMs = call.spentAt + call.callTimeoutMs;
      keep({ call: record, json: JSON.stringify(record), countsFromMs, isOwn: true });
    },
    /** `countsFromMs` is when the answer came, or the call must have been given up. The first answer stands. */
    answered(callId: string, answer: Answer, countsFromMs: number) {
      const found = known.get(callId);
      if (!found || isAnswered(found.call)) return;
      const { outcome, facts, mayRepeat } = answer;
      const record = {
        ...(JSON.parse(found.json) as SpentCall),
        outcome,
        facts,
        answeredAt: countsFromMs,
        ...(mayRepeat ? { mayRepeat } : {}),
      };
      known.set(callId, { ...found, call: record, json: JSON.stringify(record), countsFromMs });
    },
    /** The call that is recorded as this text. Most were in use when the ledger was read last, a moment ago. */
    parse: (json: string): LedgerCall | undefined => parsed.get(json) ?? parseCall(json),
    /** The call was never sent. */
    forget: (callId: string) => void known.delete(callId),
    /** Drops the calls that the ledger drops. */
    forgetBefore(timeMs: number) {
      for (const [callId, { countsFromMs }] of known) if (countsFromMs < timeMs) known.delete(callId);
    },
    /** The newest calls that this process made, at most so many. */
    newestOwn: (atMost: number): RecordedCall[] =>
      [...known.values()].filter((one) => one.isOwn).slice(-atMost),
    /** Whether the ledger lacks a call that this process made, or an outcome that this process knows. */
    isAheadOf(sighting: Sighting): boolean {
      const inUse = new Map(sighting.inUse.map(({ call }) => [call.callId, call]));
      return [...known.values()].some((own) => {
        const seen = inUse.get(own.call.callId);
        if (seen) return !isAnswered(seen) && isAnswered(own.call);
        return own.isOwn && shouldBeSeen(own, sighting);
      });
    },
    /** Takes over the calls of the ledger, and drops calls of other processes whose permits were given back. */
    saw(sighting: Sighting) {
      const inUse = new Set(sighting.inUse.map(({ call }) => call.callId));
      for (const [callId, one] of known) {
        if (!one.isOwn && shouldBeSeen(one, sighting) && !inUse.has(callId)) known.delete(callId);
      }
      for (const seen of sighting.inUse.slice(-most)) {
        const present = known.get(seen.call.callId);
        if (present?.json !== seen.json) keep({ ...seen, isOwn: present?.isOwn ?? false });
      }
      parsed = new Map(
        sighting.inUse.map(({ call, json }) => {
          const kept = known.get(call.callId)?.json;
          // Of equal texts the one that is kept anyway: another one is read each time.
          return [kept === json ? kept : json, call];
        }),
      );
    },
    find: (callId: string): RecordedCall | undefined => known.get(callId),
    all: (): readonly RecordedCall[] => [...known.values()],
  };
}

/** Calls as the scripts take them, see lua/lib/ledger.lua. */
export function callArgs(calls: readonly RecordedCall[]): (string | number)[] {
  return calls.flatMap(({ call, json, countsFromMs }) => [call.callId, Math.ceil(countsFromMs), json]);
}
