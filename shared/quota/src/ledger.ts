import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Quota } from '@diq/contracts/operations.ts';
import { ledgerKeys } from './ledger-keys.ts';
import {
  answerReply,
  holdReply,
  lookReply,
  openReply,
  parseCall,
  rebuildReply,
  spendReply,
} from './ledger-replies.ts';
import type { LedgerCall, LedgerView, Opened, RebuildReply, SpendReply } from './ledger-replies.ts';
import { callArgs, createOwnCalls } from './own-calls.ts';
import { loadScript } from './script.ts';

/** Why nobody may call for now. A closed list: it is a metric's label. */
export const holdReasons = [
  'throttled',
  'not_allowed',
  'no_token',
  'endpoint_unusable',
  'retired',
  'unreachable',
  'failing',
  'paused',
  'cold_start',
] as const;

/** Reasons for which a hold can be set; the one of a cold start is set by opening an empty ledger. */
export type HoldReason = Exclude<(typeof holdReasons)[number], 'cold_start'>;

/** What the ledger records of a call that may have reached Defender. */
export interface Answer {
  /** `throttled` while permits are to spare shows foreign use of the quota, and lowers the limit for one window. */
  outcome: string;
  /** Facts worth keeping with the call: investigation id, HTTP status. Never a token. */
  facts: Record<string, string | number>;
}

export interface HoldLength {
  firstMs: number;
  longestMs: number;
}

/** A call of the last window that is known from elsewhere than the ledger. */
export interface KnownStart {
  /** The same for the same call, whoever tells of it. */
  callId: string;
  machineId: string;
  startedAtMs: number;
  /** No sooner than it can have reached Defender. */
  countsFromMs: number;
  facts: Answer['facts'];
}

/**
 * The record of permits spent, and the interlock in front of every call. All times are milliseconds of Redis' own
 * clock. A rejected promise means that the ledger could not be asked: then nobody calls.
 *
 * Who only reads needs not open it. Who spends opens it first, and again whenever a look or a spending finds it lost.
 */
export interface Ledger {
  /** Begins a new epoch with a hold `cold_start` if the ledger is empty; hands over what this process called. */
  open(): Promise<Opened>;
  /** Ends the hold `cold_start` with what was called within the last window, by somebody else's books. */
  rebuild(starts: readonly KnownStart[]): Promise<RebuildReply>;
  /** Ends the hold `cold_start` on the word of somebody who knows that nothing was called within the last window. */
  liftColdStart(): Promise<RebuildReply>;
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
}

/**
 * The quota as this process knows it. Where processes disagree, or did within the longest of their windows, the
 * smallest limit and the longest window hold for all.
 */
export interface LedgerSettings extends Quota {
  callTimeoutMs: number;
}

/** Windows after which a call drops out of the record. */
const historyWindows = 25;

const scriptFile = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);
const ledgerScript = (name: string) => loadScript(scriptFile('ledger'), scriptFile(name));
const openScript = ledgerScript('open');
const rebuildScript = ledgerScript('rebuild');
const spendScript = ledgerScript('spend');
const answerScript = ledgerScript('record-answer');
const giveBackScript = ledgerScript('give-back');
const lookScript = ledgerScript('look');
const holdScript = loadScript(scriptFile('hold'));

/** `redis` must fail at once when Redis is away: no offline queue, no retries. */
export function createLedger(redis: Redis, keySpace: string, settings: LedgerSettings): Ledger {
  const keys = ledgerKeys(keySpace);
  const { limit, callTimeoutMs } = settings;
  const scriptKeys = [
    keys.calls,
    keys.entries,
    keys.intents,
    keys.holds,
    keys.epoch,
    keys.settings,
    keys.estimate,
  ];
  const quotaArgs = [limit, Math.ceil(settings.windowMs), Math.ceil(callTimeoutMs)];
  const ownCalls = createOwnCalls(limit);
  /** The one that this process opened; '' before. */
  let epoch = '';

  const ask = (script: ReturnType<typeof loadScript>, ...args: (string | number)[]) =>
    script(redis, scriptKeys, [epoch, ...quotaArgs, ...args]);

  async function setHold(...args: (string | number)[]) {
    const [untilMs, nowMs] = holdReply.parse(await holdScript(redis, [keys.holds, keys.holdStreaks], args));
    return { untilMs, nowMs };
  }

  return {
    async open() {
      const reply = openReply.parse(await ask(openScript, randomUUID(), ...ownCalls.toArgs()));
      epoch = reply.epoch;
      return reply.opened;
    },
    rebuild: async (starts) =>
      rebuildReply.parse(await ask(rebuildScript, 'rebuilt', ...starts.flatMap(startArgs))),
    liftColdStart: async () => rebuildReply.parse(await ask(rebuildScript, 'told')),
    async spend(call) {
      const { callId, dispatchId, machineId } = call;
      const args = [callId, dispatchId, machineId, historyWindows, ...ownCalls.toArgs()];
      const reply = spendReply.parse(await ask(spendScript, ...args));
      if (reply.kind === 'granted') {
        ownCalls.spent({
          ...call,
          spentAt: reply.spentAtMs,
          callTimeoutMs,
          used: reply.used,
          limit: reply.limit,
        });
      }
      return reply;
    },
    async recordAnswer(callId, answer) {
      const { outcome, facts } = answer;
      const reply = await ask(answerScript, callId, outcome, JSON.stringify(facts), ...ownCalls.toArgs());
      const [kind, countsFromMs, freeAtMs] = answerReply.parse(reply);
      ownCalls.answered(callId, answer, countsFromMs);
      return kind === 'recorded' ? { freeAtMs } : undefined;
    },
    async giveBack(callId) {
      // Before it is asked for: what is sent after this must not bring it back.
      ownCalls.forget(callId);
      return (await ask(giveBackScript, callId)) === 1;
    },
    hold: (reason, forMs) => setHold(reason, 'for', forMs, forMs),
    holdGrowing: (reason, { firstMs, longestMs }) => setHold(reason, 'growing', firstMs, longestMs),
    async endStreaks() {
      await redis.del(keys.holdStreaks);
    },
    async look() {
      const found = lookReply.parse(await ask(lookScript));
      const { view } = found;
      const inUse = new Set(view.slotsInUse.map(({ call }) => call?.callId ?? ''));
      // Twice: the window may yet grow.
      ownCalls.forgetBefore(view.nowMs - 2 * view.windowMs);
      const isLost = epoch !== '' && (found.epoch !== epoch || ownCalls.isAnyMissing(inUse, view));
      return { ...view, isLost };
    },
    async findCall(callId) {
      const json = await redis.hget(keys.entries, callId);
      return json === null ? undefined : parseCall(json);
    },
  };
}

function startArgs({ callId, machineId, startedAtMs, countsFromMs, facts }: KnownStart) {
  const call = { callId, dispatchId: '', machineId, spentAt: startedAtMs, outcome: 'started', facts };
  return callArgs(call, countsFromMs, JSON.stringify({ ...call, callTimeoutMs: 0 }));
}
