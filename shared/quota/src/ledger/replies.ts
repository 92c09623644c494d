import { z } from 'zod';
import { throttleCauses, type ThrottleCause } from './answers-and-holds.ts';

const ms = z.number();

/** One call as the ledger records it. `outcome` is `in_flight` until an answer is recorded. */
const ledgerCall = z.object({
  callId: z.string(),
  taskId: z.string(),
  machineId: z.string(),
  spentAt: ms,
  answeredAt: ms.optional(),
  outcome: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  /** Another call may follow for the same task. */
  mayRepeat: z.boolean().optional(),
});

export type LedgerCall = z.output<typeof ledgerCall>;

/** `undefined` for what cannot be read: no record is better than one that makes the whole ledger unreadable. */
export function parseCall(json: string): LedgerCall | undefined {
  try {
    return ledgerCall.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}

/**
 * Granted, or why not. `freeSinceMs` is when the slot taken had opened or a hold had ended; 0 when neither ever was.
 * `lost`: Redis does not have the ledger as this process knows it. `spent`: another call stands for the
 * task, absent if it cannot be read; `isDoubtful` if it was spent before the last handover, so that other data of Redis
 * on it may be gone. `full` by the `quota` that this process itself keeps, or by something `stricter` that it does
 * not know: settings of others, or an estimate after a 429. `probing`: the path is in doubt, and the one call
 * that tries it is in flight.
 */
export const spendReply = z.union([
  z
    .tuple([z.literal('granted'), ms, z.number(), ms, z.number(), z.number()])
    .transform(([kind, spentAtMs, used, freeSinceMs, limit, changes]) => ({
      kind,
      spentAtMs,
      used,
      freeSinceMs,
      limit,
      changes,
    })),
  z.tuple([z.literal('lost'), ms]).transform(([kind, nowMs]) => ({ kind, nowMs })),
  z.tuple([z.literal('spent'), z.string(), ms, z.number()]).transform(([kind, json, nowMs, isDoubtful]) => ({
    kind,
    call: parseCall(json),
    nowMs,
    isDoubtful: isDoubtful === 1,
  })),
  z
    .tuple([z.literal('held'), ms, ms, z.string()])
    .transform(([kind, untilMs, nowMs, reason]) => ({ kind, untilMs, nowMs, reason })),
  z.tuple([z.literal('probing'), ms, ms]).transform(([kind, untilMs, nowMs]) => ({ kind, untilMs, nowMs })),
  z
    .tuple([z.literal('full'), ms, ms, z.enum(['quota', 'stricter'])])
    .transform(([kind, nextSlotAtMs, nowMs, by]) => ({ kind, nextSlotAtMs, nowMs, by })),
]);

export type SpendReply = z.output<typeof spendReply>;

const verdict = z.enum(['own', 'shared', 'aside']);

export const answerReply = z
  .tuple([
    z.enum(['recorded', 'missing']),
    ms,
    ms,
    ms,
    z.number(),
    z.number(),
    verdict,
    z.enum(throttleCauses).or(z.literal('')),
    ms,
  ])
  .transform(([kind, countsFromMs, freeAtMs, spentAtMs, mayRepeat, changes, verdict, ...throttled]) => {
    const [cause, throttledInMs] = throttled;
    const known = cause === '' ? {} : { cause, throttledInMs };
    const recorded = { countsFromMs, freeAtMs, spentAtMs, mayRepeat: mayRepeat === 1, verdict, ...known };
    return { recorded: kind === 'recorded' ? recorded : undefined, countsFromMs, changes };
  });

/** What a worker found when it opened the ledger. */
export interface Opened {
  /** `created`: it was empty, so it does not show which calls were made within the last window. */
  kind: 'created' | 'joined';
  nowMs: number;
  /** The hold `cold_start`, if it is on. */
  coldStart: ColdStartHold | undefined;
  /** When the hold `failover` ends, if it is on. */
  handoverUntilMs: number | undefined;
  /** Calls that the ledger had lost, or whose outcome it had, and that this process knew. */
  restored: LedgerCall[];
}

export interface ColdStartHold {
  untilMs: number;
  /** False if a living worker saw its ledger vanish: then the hold lasts its whole time. */
  mayBeRebuilt: boolean;
}

export const openReply = z
  .tuple([z.enum(['created', 'joined']), z.string(), ms, ms, z.number(), z.string(), z.number(), ms])
  .transform(([kind, generation, nowMs, untilMs, rebuildable, handover, changes, handoverUntilMs]) => {
    const coldStart = untilMs > 0 ? { untilMs, mayBeRebuilt: rebuildable === 1 } : undefined;
    const found: Omit<Opened, 'restored'> = {
      kind,
      nowMs,
      coldStart,
      handoverUntilMs: handoverUntilMs > 0 ? handoverUntilMs : undefined,
    };
    return { generation, handover, changes, found };
  });

export const handOverReply = z.array(z.string());

export const rebuildReply = z.enum(['ended', 'kept', 'over', 'lost']);

export const holdReply = z.tuple([ms, ms]);

/**
 * A permit in use: when it is free again in the longest window, and with that in all of them; and the call it was spent on
 * (absent if the record of it is gone or unreadable).
 */
export interface SlotInUse {
  freeAtMs: number;
  call: LedgerCall | undefined;
}

/** One of the limits in force, at one instant. */
export interface LimitState {
  windowMs: number;
  /** What may be called in one window now: below `quotaCalls` for one window after a 429. */
  calls: number;
  /** What may be called in one window by the settings in force. */
  quotaCalls: number;
  /** Permits in use: calls that count in this window. */
  used: number;
  /** When the next slot opens by the quota; absent while one is free. */
  opensAtMs?: number;
  /** Absent while the limit is that of the settings. */
  lower?: {
    untilMs: number;
    /** Calls that count against the lower limit: those that were not answered 429. */
    used: number;
    /** When the next slot opens by the lower limit; absent while one is free. */
    opensAtMs?: number;
  };
}

/** The ledger at one instant of Redis' clock. */
export interface LedgerSnapshot {
  nowMs: number;
  /** The limits in force, by length of their windows. All hold. A limit that another one implies is none of them. */
  limits: readonly [LimitState, ...LimitState[]];
  /** Slots kept for critical calls, and how many of those wait. The reader adds it; the ledger does not know it. */
  reserve?: { slots: number; criticalWaiting: number };
  /** How many calls of the operation Defender runs, and how many at once. The reader adds it where there is such a limit. */
  running?: { now: number; most: number };
  /** The ledger is not as the process that opened it knows it: the process has to open it again. */
  isLost: boolean;
  /** The newest permits in use, 100 at most, ordered by the time at which they are free again. */
  slotsInUse: SlotInUse[];
  /** From when all others in use count, in order. A process that has opened the ledger does not get them: it forecasts nothing. */
  othersCountFromMs?: readonly number[];
  /** Of those the ones that were answered 429; only while a limit is lower than that of the settings. */
  othersThrottledFromMs?: readonly number[];
  /** The hold that ends last, if any is on. */
  hold: Hold | undefined;
  /** Reasons of all holds that are on, and the causes that keep them on. */
  holdsOn: string[];
  /** It is unknown when calls will be made again: a hold of unknown length is on, or the path is being tried. */
  isEndUnknown?: boolean;
  /** The latest end of the one call that tries a path in doubt; until then no other is made. */
  probedUntilMs?: number;
  /** Always present in what `snapshot` returns. */
  workers?: WorkersSeen;
}

/** Processes that spend permits, by their signs of life. */
export interface WorkersSeen {
  /** How many wrote one lately and were not stopped since. */
  alive: number;
  /** Time of the last one; absent if there never was one. */
  lastSeenAtMs?: number;
}

/** Why no calls are made, and until when at the least. */
export interface Hold {
  reason: string;
  untilMs: number;
  /** It is set again, and longer, if the obstacle is still there when it ends. */
  isOpen?: true;
  httpStatus?: number;
  code?: string;
  /** Of the hold `cold_start`: the obstacle that keeps it on, and that calls would meet too. */
  cause?: string;
  /** Of a 429. */
  throttleCause?: ThrottleCause;
  /** The window that a 429 is counted against. */
  windowMs?: number;
}
