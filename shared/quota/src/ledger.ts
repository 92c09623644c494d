import type { Redis } from 'ioredis';
import type { Quota } from '@diq/contracts/operations.ts';
import { ledgerKeys } from './ledger-keys.ts';
import { answerReply, holdReply, lookReply, parseCall, spendReply } from './ledger-replies.ts';
import type { LedgerCall, LedgerView, SpendReply } from './ledger-replies.ts';
import { loadScript } from './script.ts';

/** Why nobody may call for now. A closed list: it is a metric's label. */
export const holdReasons = [
  'throttled',
  'not-allowed',
  'no-token',
  'unreachable',
  'failing',
  'paused',
] as const;

export type HoldReason = (typeof holdReasons)[number];

/** What the ledger records of a call that may have reached Defender. */
export interface Answer {
  outcome: string;
  /** Facts worth keeping with the call: investigation id, HTTP status. Never a token. */
  facts: Record<string, string | number>;
}

export interface HoldLength {
  firstMs: number;
  longestMs: number;
}

/**
 * The record of permits spent, and the interlock in front of every call. All times are milliseconds of Redis' own
 * clock. A rejected promise means that the ledger could not be asked: then nobody calls.
 */
export interface Ledger {
  /** Spends a permit and records the intent to call, in one step; or says why not. Safe to repeat with the same id. */
  spend(call: { callId: string; dispatchId: string; machineId: string }): Promise<SpendReply>;
  /** Records what became of a call; `undefined` when the ledger no longer knows it. The first record stands. */
  recordAnswer(callId: string, answer: Answer): Promise<{ freeAtMs: number } | undefined>;
  /** Gives back the permit of a call that provably never left. */
  giveBack(callId: string): Promise<boolean>;
  /** Nobody calls for this long from now; a longer hold for the same reason stays. */
  hold(reason: HoldReason, forMs: number): Promise<{ untilMs: number; nowMs: number }>;
  /** A hold that doubles with each one in a row, until `endStreak`. */
  holdGrowing(reason: HoldReason, length: HoldLength): Promise<{ untilMs: number; nowMs: number }>;
  /** Forgets how often in a row a growing hold was set: something was answered. */
  endStreaks(): Promise<void>;
  look(): Promise<LedgerView>;
  /** The record of one call, or `undefined`. */
  findCall(callId: string): Promise<LedgerCall | undefined>;
  /** Tells the readers of the ledger which quota is in force. Called by each worker at its start. */
  writeSettings(): Promise<void>;
}

export interface LedgerSettings extends Quota {
  callTimeoutMs: number;
}

/** Windows after which a call drops out of the record. */
const historyWindows = 25;

const scriptFile = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);
const spendScript = loadScript(scriptFile('spend'));
const answerScript = loadScript(scriptFile('record-answer'));
const giveBackScript = loadScript(scriptFile('give-back'));
const holdScript = loadScript(scriptFile('hold'));
const lookScript = loadScript(scriptFile('look'));

/** `redis` must fail at once when Redis is away: no offline queue, no retries. */
export function createLedger(redis: Redis, keySpace: string, settings: LedgerSettings): Ledger {
  const keys = ledgerKeys(keySpace);
  const { limit, windowMs, callTimeoutMs } = settings;
  const callKeys = [keys.calls, keys.entries, keys.intents];

  async function setHold(...args: (string | number)[]) {
    const [untilMs, nowMs] = holdReply.parse(await holdScript(redis, [keys.holds, keys.holdStreaks], args));
    return { untilMs, nowMs };
  }

  return {
    async spend({ callId, dispatchId, machineId }) {
      const args = [callId, dispatchId, machineId, limit, windowMs, callTimeoutMs, historyWindows];
      return spendReply.parse(await spendScript(redis, [...callKeys, keys.holds], args));
    },
    async recordAnswer(callId, { outcome, facts }) {
      const reply = await answerScript(redis, callKeys, [callId, outcome, windowMs, JSON.stringify(facts)]);
      const [kind, freeAtMs] = answerReply.parse(reply);
      return kind === 'recorded' ? { freeAtMs } : undefined;
    },
    async giveBack(callId) {
      return (await giveBackScript(redis, callKeys, [callId])) === 1;
    },
    hold: (reason, forMs) => setHold(reason, 'for', forMs, forMs),
    holdGrowing: (reason, { firstMs, longestMs }) => setHold(reason, 'growing', firstMs, longestMs),
    async endStreaks() {
      await redis.del(keys.holdStreaks);
    },
    async look() {
      return lookReply.parse(
        await lookScript(redis, [keys.calls, keys.entries, keys.holds, keys.settings], [limit, windowMs]),
      );
    },
    async findCall(callId) {
      const json = await redis.hget(keys.entries, callId);
      return json === null ? undefined : parseCall(json);
    },
    async writeSettings() {
      await redis.hset(keys.settings, { limit, windowMs, callTimeoutMs });
    },
  };
}
