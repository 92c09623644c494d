import { randomUUID } from 'node:crypto';
import { ReplyError } from 'ioredis';
import type { RedisConnection } from '@diq/redis/connection.ts';
import type { Quota } from '@diq/contracts/operations.ts';
import { createRefusedTasks, ledgerKeys, ledgerScriptKeys } from './ledger-keys.ts';
import {
  answerReply,
  handOverReply,
  holdReply,
  openReply,
  parseCall,
  rebuildReply,
  spendReply,
  type LedgerCall,
  type LedgerSnapshot,
  type Opened,
  type SpendReply,
} from './replies.ts';
import {
  isSetByOpening,
  type HoldGrowth,
  type HoldReason,
  type Answer,
  type HoldDetails,
  type RebuildFailure,
  type Recorded,
} from './answers-and-holds.ts';
import { longestWindowMs, mostCalls } from '../limits.ts';
import { callArgs, createJournal } from './journal.ts';
import { readSnapshot, workersBy } from './snapshot-reply.ts';
import { readWorkerSigns } from './worker-signs.ts';
import { loadScript } from '@diq/redis/script.ts';

export type {
  Answer,
  HoldDetails,
  RebuildFailure,
  Recorded,
  RefusalRule,
  Verdict,
} from './answers-and-holds.ts';

/** A call of the last window that Defender's list shows. */
export interface KnownStart {
  /** The same for the same call, in whichever process. */
  callId: string;
  machineId: string;
  startedAtMs: number;
  /** No sooner than it can have reached Defender. */
  countsFromMs: number;
  facts: Answer['facts'];
}

export type Ledger = ReturnType<typeof createLedger>;

/**
 * The quota as this process knows it. Where processes disagree, or did within the longest of their windows, the limits
 * of all of them hold.
 */
export interface LedgerSettings extends Quota {
  callTimeoutMs: number;
  handover?: HandoverTimes;
  /** Of the process that makes the calls: the same in all its ledgers. By default an id of its own. */
  processId?: string;
}

/** How long no call is made after Redis was restarted or failed over. */
export interface HandoverTimes {
  /** For workers that a Redis which lost data does not know. They reconnect within two seconds and read then, or have the message. */
  atLeastMs: number;
  /** For workers that were alive and do not come back; longer if any call is missing. */
  atMostMs: number;
}

const usualHandover: HandoverTimes = { atLeastMs: 3_000, atMostMs: 15_000 };
const signOfLifeEveryMs = 5_000;
/** A worker counts as dead when others wrote signs of life this long after its last one. */
const deadAfterMs = 3 * signOfLifeEveryMs;
/** Windows after which a call drops out of the record. */
const historyWindows = 25;
/** Calls that a process remembers at least, if there were that many within those windows. */
const leastRemembered = 1_000;
/** Own calls that each spending checks for; `snapshot` checks for all others. */
const checkedAtMost = 100;
/** Permits in use that a snapshot lists. What is lost in Redis are the newest calls, and these are read within a second. */
const listedAtMost = 100;
/** Calls handed over by one script, which blocks Redis for some milliseconds. */
const perScript = 250;

const scriptFile = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);
const ledgerScript = (name: string) => loadScript(scriptFile(name), { whenFull: true });
const openScript = ledgerScript('open');
const rebuildScript = ledgerScript('rebuild');
const spendScript = ledgerScript('spend');
const answerScript = ledgerScript('record-answer');
const giveBackScript = ledgerScript('give-back');
const handOverScript = ledgerScript('hand-over');
const snapshotScript = loadScript(scriptFile('snapshot'));
/** Writes a sign of life, which a full Redis takes as well. */
const signScript = ledgerScript('snapshot');
const holdScript = ledgerScript('hold');

/**
 * The record of permits spent, and the interlock in front of every call. All times are milliseconds of Redis' own
 * clock. A rejected promise means that the ledger could not be asked: then no call is made.
 *
 * A reader need not open it. A process that spends opens it first, and again whenever `snapshot` or `spend` finds it lost.
 *
 * @param redis must fail at once when Redis is away: no offline queue, no retries
 */
export function createLedger(redis: RedisConnection, keySpace: string, settings: LedgerSettings) {
  const keys = ledgerKeys(keySpace);
  const { limits, callTimeoutMs } = settings;
  const most = mostCalls(limits);
  const scriptKeys = ledgerScriptKeys(keySpace);
  const holdKeys = [keys.holds, keys.holdStreaks, keys.holdDetails];
  const ownLimits = limits.flatMap(({ calls, windowMs }) => [calls, Math.ceil(windowMs)]).join('/');
  const quotaArgs = [ownLimits, Math.ceil(callTimeoutMs)];
  const { atLeastMs, atMostMs } = settings.handover ?? usualHandover;
  const processId = settings.processId ?? randomUUID();
  const journal = createJournal(Math.max(2 * most, leastRemembered));
  /** What this process knows of the ledger; '' before it has opened it. */
  const known = {
    generation: '',
    handover: '',
    changes: 0,
    holds: new Map<string, number>(),
  };
  /** Calls that were missing and were handed over, until the ledger is open again: that may take several attempts. */
  const restored = new Set<string>();
  let nextSignAtMs = 0;
  let hasLeft = false;

  const ask = (script: ReturnType<typeof loadScript>, ...args: (string | number)[]) =>
    script(redis, scriptKeys, [
      known.generation,
      ...quotaArgs,
      known.handover,
      known.changes,
      processId,
      ...args,
    ]);

  function sawChanges(changes: number): void {
    known.changes = Math.max(known.changes, changes);
  }

  async function setHold(reason: HoldReason, ...args: (string | number)[]) {
    const reply = await holdScript(redis, holdKeys, [reason, ...args]);
    const [untilMs, nowMs] = holdReply.parse(reply);
    known.holds.set(reason, untilMs);
    return { untilMs, nowMs };
  }

  async function handOver(): Promise<void> {
    const calls = journal.all();
    const holds = [...known.holds].flat();
    for (let i = 0; i === 0 || i < calls.length; i += perScript) {
      const args = [holds.length / 2, ...holds, ...callArgs(calls.slice(i, i + perScript))];
      for (const id of handOverReply.parse(await ask(handOverScript, ...args))) restored.add(id);
    }
  }

  /** A Redis that takes no writes can still be read: without the sign. */
  const snapshotWithSign = () =>
    ask(signScript, 'alive', listedAtMost, '').catch((error: unknown) => {
      if (error instanceof ReplyError) return ask(snapshotScript, '', listedAtMost, '');
      throw error;
    });

  return {
    /** It was opened by this process, and may have been lost since. */
    isOpen: () => known.generation !== '',
    /**
     * Hands over the calls that this process remembers. Begins a new generation with a hold `cold_start` if the ledger is empty;
     * a handover with a hold `failover` if it may be an older state of itself, until all workers have opened it again.
     */
    async open(): Promise<Opened> {
      if (known.generation !== '') await handOver();
      const ids = [randomUUID(), randomUUID()];
      const times = [atLeastMs, atMostMs, deadAfterMs];
      const reply = openReply.parse(await ask(openScript, ...ids, restored.size > 0 ? 1 : 0, ...times));
      const { generation, handover, found } = reply;
      Object.assign(known, { generation, handover });
      sawChanges(reply.changes);
      const calls = [...restored].flatMap((callId) => journal.find(callId)?.call ?? []);
      restored.clear();
      return { ...found, restored: calls };
    },
    /** Ends the hold `cold_start` with the calls of the last window, as Defender lists them. */
    rebuild: async (starts: readonly KnownStart[]) =>
      rebuildReply.parse(await ask(rebuildScript, 'rebuilt', ...callArgs(starts.map(recordOfStart)))),
    /** Records why Defender's list cannot be read, as the cause of the hold `cold_start` while it is on; the last one stands. */
    async noteRebuildFailure(failure: RebuildFailure) {
      await ask(rebuildScript, 'failed', JSON.stringify({ ...failure, isOpen: true }));
    },
    /** Ends the hold `cold_start` because the operator declares that no call was made within the last window. */
    endColdStart: async () => rebuildReply.parse(await ask(rebuildScript, 'declared')),
    /** Spends a permit and records the intent to call, in one step, or returns why not. Safe to repeat with the same id. */
    async spend(call: { callId: string; taskId: string; machineId: string }): Promise<SpendReply> {
      const { callId, taskId, machineId } = call;
      const own = journal
        .newestOwn(Math.min(most, checkedAtMost))
        .flatMap(({ call, countsFromMs }) => [call.callId, Math.ceil(countsFromMs)]);
      const args = [callId, taskId, machineId, historyWindows, atLeastMs, ...own];
      const reply = spendReply.parse(await ask(spendScript, ...args));
      if (reply.kind === 'granted') {
        const { spentAtMs: spentAt, used } = reply;
        journal.spent({ callId, taskId, machineId, spentAt, callTimeoutMs, used, limit: reply.limit });
        sawChanges(reply.changes);
      }
      return reply;
    },
    /** Records what became of a call; `undefined` when the ledger no longer knows it. The first record stands. */
    async recordAnswer(callId: string, answer: Answer): Promise<Recorded | undefined> {
      const { outcome, facts, mayRepeat, shows = '', factsIfOwn = facts, statedQuota: stated } = answer;
      const asksForMs = answer.retryAfterMs === undefined ? '' : Math.ceil(answer.retryAfterMs);
      const own = journal.find(callId);
      const about = [callId, outcome, JSON.stringify(facts), mayRepeat ? 1 : 0];
      const judged = [typeof shows === 'string' ? shows : JSON.stringify(shows), JSON.stringify(factsIfOwn)];
      const quota = stated ? `${stated.calls}/${stated.windowMs}` : '';
      const args = [...about, ...judged, quota, asksForMs, ...callArgs(own ? [own] : [])];
      const { recorded, countsFromMs, changes } = answerReply.parse(await ask(answerScript, ...args));
      const isOwn = recorded?.verdict === 'own';
      journal.answered(callId, isOwn ? { outcome, facts: factsIfOwn } : answer, countsFromMs);
      sawChanges(changes);
      return recorded;
    },
    /** Allows another call after this one, which is over: Defender's records do not show it. */
    async allowRepeat(callId: string) {
      await ask(giveBackScript, callId, 'repeat');
    },
    /** Gives back the permit of a call of this process that provably never left, whatever others took it for. */
    async giveBack(callId: string) {
      // Before the script runs: a handover that is sent after this must not bring the call back.
      journal.forget(callId);
      return (await ask(giveBackScript, callId, 'unsent')) === 1;
    },
    /** Gives back the permit of a call, of whichever process, that was never begun and by its deadline cannot begin. */
    async giveBackNeverBegun(callId: string) {
      await ask(giveBackScript, callId, 'never_begun');
    },
    /** Forbids calls for this long from now; a longer hold for the same reason stays. */
    hold: (reason: HoldReason, forMs: number, details?: HoldDetails) =>
      setHold(reason, 'for', forMs, forMs, JSON.stringify({ ...details, isOpen: false })),
    /** A hold that doubles with each one in a row, until a call is answered well. */
    holdGrowing: (reason: HoldReason, { firstMs, longestMs }: HoldGrowth, details?: HoldDetails) =>
      setHold(reason, 'growing', firstMs, longestMs, JSON.stringify({ ...details, isOpen: true })),
    ...createRefusedTasks(redis, keys),
    async snapshot(): Promise<LedgerSnapshot> {
      const isSignDue = known.generation !== '' && !hasLeft && performance.now() >= nextSignAtMs;
      if (known.generation === '') {
        const reading = ask(snapshotScript, '', listedAtMost, 'times');
        const [reply, signs] = await Promise.all([reading, readWorkerSigns(redis, keySpace)]);
        const { view } = readSnapshot(reply, parseCall);
        return { ...view, workers: workersBy(signs, view), isLost: false };
      }
      const reading = isSignDue ? snapshotWithSign() : ask(snapshotScript, '', listedAtMost, '');
      const found = readSnapshot(await reading, journal.parse);
      const { view } = found;
      const windowMs = longestWindowMs(view.limits);
      const inUse = found.records;
      const isComplete = view.slotsInUse.length < listedAtMost;
      const sinceMs = isComplete ? -Infinity : (view.slotsInUse[0]?.freeAtMs ?? 0) - windowMs;
      const sighting = { nowMs: view.nowMs, windowMs, inUse, sinceMs };
      journal.forgetBefore(view.nowMs - historyWindows * windowMs);
      if (!found.isKnown || journal.isAheadOf(sighting)) return { ...view, isLost: true };
      journal.saw(sighting);
      sawChanges(found.changes);
      const handedOver = found.holds.filter(({ reason }) => !isSetByOpening(reason));
      known.holds = new Map(handedOver.map(({ reason, untilMs }) => [reason, untilMs]));
      if (isSignDue) nextSignAtMs = performance.now() + signOfLifeEveryMs;
      return { ...view, isLost: false };
    },
    /** Records that this worker was stopped in order and writes no further signs of life. */
    async leave() {
      hasLeft = true;
      if (known.generation !== '') await ask(signScript, 'left', 0, '');
    },
    /** The record of one call, or `undefined`. */
    async findCall(callId: string): Promise<LedgerCall | undefined> {
      const json = await redis.hget(keys.entries, callId);
      return json === null ? undefined : parseCall(json);
    },
  };
}

function recordOfStart({ callId, machineId, startedAtMs, countsFromMs, facts }: KnownStart) {
  const call = { callId, taskId: '', machineId, spentAt: startedAtMs, outcome: 'started', facts };
  return { call, json: JSON.stringify({ ...call, callTimeoutMs: 0 }), countsFromMs };
}
