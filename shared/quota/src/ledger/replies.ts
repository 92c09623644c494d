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
  ])
  .transform(([kind, countsFromMs, freeAtMs, spentAtMs, mayRepeat, changes, verdict, cause]) => {
    const known = cause === '' ? {} : { cause };
    const recorded = { freeAtMs, spentAtMs, mayRepeat: mayRepeat === 1, verdict, ...known };
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

export type RebuildReply = z.output<typeof rebuildReply>;

export const holdReply = z.tuple([ms, ms]);

/** A permit in use: when it is free again, and the call it was spent on (absent if the record of it is gone or unreadable). */
export interface SlotInUse {
  freeAtMs: number;
  call: LedgerCall | undefined;
}

/** The ledger at one instant of Redis' clock. */
export interface LedgerSnapshot {
  nowMs: number;
  /** What may be called in one window now: below `quotaLimit` for one window after a 429. */
  limit: number;
  /** Until when `limit` is lower than that of the settings; absent while it is not. */
  limitUntilMs?: number;
  /** The limit by the settings in force. */
  quotaLimit: number;
  windowMs: number;
  /** Slots kept for critical calls, and how many of those wait. The reader adds it; the ledger does not know it. */
  reserve?: { slots: number; criticalWaiting: number };
  /** The ledger is not as the process that opened it knows it: the process has to open it again. */
  isLost: boolean;
  /** Ordered by the time at which they are free again. */
  slotsInUse: SlotInUse[];
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

/** A worker writes a sign of life about every five seconds. */
const silentAfterMs = 10_000;

/** `signs` as they stand in the ledger, see lua/lib/ledger.lua. */
function workersIn(signs: readonly string[], nowMs: number): WorkersSeen {
  const seen = signs.flatMap((sign) => {
    const [, at, left] = /^(\d+)\/[^/]*(\/left)?$/.exec(sign) ?? [];
    return at === undefined ? [] : [{ atMs: Number(at), hasLeft: left !== undefined }];
  });
  const lastSeenAtMs = seen.reduce((last, { atMs }) => Math.max(last, atMs), 0);
  return {
    alive: seen.filter(({ atMs, hasLeft }) => !hasLeft && atMs > nowMs - silentAfterMs).length,
    ...(lastSeenAtMs > 0 ? { lastSeenAtMs } : {}),
  };
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
}

const holdDetails = z.object({
  isOpen: z.boolean(),
  httpStatus: z.int().optional(),
  code: z.string().optional(),
  cause: z.string().optional(),
  throttleCause: z.enum(throttleCauses).optional(),
});

/** The recorded facts of a hold; none if they cannot be read, or if an operator set the hold. */
function detailsIn(json: string): Omit<Hold, 'reason' | 'untilMs'> {
  if (json === '') return {};
  try {
    const { isOpen, ...facts } = holdDetails.parse(JSON.parse(json));
    // Parsed from JSON, which has no undefined.
    return { ...(isOpen && { isOpen }), ...(facts as Omit<Hold, 'reason' | 'untilMs' | 'isOpen'>) };
  } catch {
    return {};
  }
}

export const snapshotReply = z
  .tuple([
    ms,
    z.number(),
    z.number(),
    ms,
    z.array(z.union([z.string(), ms])),
    z.array(z.union([z.string(), ms])),
    ms,
    z.number(),
    z.number(),
    z.number(),
    ms,
    z.array(z.string()),
    z.array(z.string()),
  ])
  .transform(
    ([nowMs, limit, quotaLimit, windowMs, holds, slots, limitUntilMs, isKnown, changes, ...doubt]) => {
      const [inDoubt, probedUntilMs, details, signs] = doubt;
      const holdsOn: Hold[] = pairs(holds).map(([reason, untilMs], i) => ({
        reason: String(reason),
        untilMs: Number(untilMs),
        ...detailsIn(details[i] ?? ''),
      }));
      const isEndUnknown = holdsOn.some(({ isOpen }) => isOpen) || (inDoubt === 1 && holdsOn.length === 0);
      const inUse = pairs(slots).map(([freeAtMs, json]) => ({
        json: String(json),
        freeAtMs: Number(freeAtMs),
        call: parseCall(String(json)),
      }));
      const view: Omit<LedgerSnapshot, 'isLost'> = {
        nowMs,
        limit,
        ...(limitUntilMs > 0 ? { limitUntilMs } : {}),
        quotaLimit,
        windowMs,
        ...(isEndUnknown ? { isEndUnknown } : {}),
        ...(probedUntilMs > 0 ? { probedUntilMs } : {}),
        holdsOn: holdsOn.flatMap(({ reason, cause }) => (cause === undefined ? [reason] : [reason, cause])),
        hold: holdsOn.reduce<Hold | undefined>(
          (last, on) => (last && last.untilMs >= on.untilMs ? last : on),
          undefined,
        ),
        slotsInUse: inUse.map(({ freeAtMs, call }) => ({ freeAtMs, call })),
        workers: workersIn(signs, nowMs),
      };
      const records = inUse.flatMap(({ json, freeAtMs, call }) =>
        call ? [{ call, json, countsFromMs: freeAtMs - windowMs }] : [],
      );
      return { view, holds: holdsOn, records, isKnown: isKnown === 1, changes };
    },
  );

function pairs<T>(flat: readonly T[]): [T, T][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => flat.slice(2 * i, 2 * i + 2) as [T, T]);
}
