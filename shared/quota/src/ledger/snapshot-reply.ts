import { z } from 'zod';
import { longestWindowMs } from '../limits.ts';
import { throttleCauses } from './answers-and-holds.ts';
import type { Hold, LedgerCall, LedgerSnapshot, LimitState, WorkersSeen } from './replies.ts';

const ms = z.number();

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

/** The same by the signs of processes as well: they stand for queues in which there is nothing to do. */
export function workersBy(
  signs: readonly string[],
  { nowMs, workers = { alive: 0 } }: Pick<LedgerSnapshot, 'nowMs' | 'workers'>,
): WorkersSeen {
  const processes = workersIn(signs, nowMs);
  const lastSeenAtMs = Math.max(workers.lastSeenAtMs ?? 0, processes.lastSeenAtMs ?? 0);
  return {
    alive: Math.max(workers.alive, processes.alive),
    ...(lastSeenAtMs > 0 ? { lastSeenAtMs } : {}),
  };
}

const holdDetails = z.object({
  isOpen: z.boolean(),
  httpStatus: z.int().optional(),
  code: z.string().optional(),
  cause: z.string().optional(),
  throttleCause: z.enum(throttleCauses).optional(),
  windowMs: z.number().optional(),
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

/** See lua/snapshot.lua. */
const limitState = z
  .tuple([ms, z.number(), z.number(), ms, z.number(), ms, z.number(), ms])
  .transform(([windowMs, quotaCalls, used, opensAtMs, fit, untilMs, fitted, fitOpensAtMs]): LimitState => ({
    windowMs,
    calls: fit > 0 ? fit : quotaCalls,
    quotaCalls,
    used,
    ...opens(opensAtMs),
    ...(fit > 0 ? { lower: { untilMs, used: fitted, ...opens(fitOpensAtMs) } } : {}),
  }));

function opens(atMs: number): { opensAtMs?: number } {
  return atMs > 0 ? { opensAtMs: atMs } : {};
}

const snapshotReply = z.tuple([
  ms,
  z.tuple([limitState], limitState),
  z.array(z.union([z.string(), ms])),
  z.array(z.union([z.string(), ms])),
  z.tuple([z.string(), z.string()]),
  z.number(),
  z.number(),
  z.number(),
  ms,
  z.array(z.string()),
  z.array(z.string()),
]);

/** @param parse the call that is recorded as a text */
export function readSnapshot(reply: unknown, parse: (json: string) => LedgerCall | undefined) {
  const [nowMs, limits, holds, slots, ages, isKnown, changes, inDoubt, probedUntilMs, details, signs] =
    snapshotReply.parse(reply);
  const longestMs = longestWindowMs(limits);
  const holdsOn: Hold[] = pairs(holds).map(([reason, untilMs], i) => ({
    reason: String(reason),
    untilMs: Number(untilMs),
    ...detailsIn(details[i] ?? ''),
  }));
  const isEndUnknown = holdsOn.some(({ isOpen }) => isOpen) || (inDoubt === 1 && holdsOn.length === 0);
  const inUse = pairs(slots).map(([countsFromMs, json]) => ({
    json: String(json),
    countsFromMs: Number(countsFromMs),
    call: parse(String(json)),
  }));
  const [others, throttled] = [timesOf(ages[0], nowMs), timesOf(ages[1], nowMs)];
  const view: Omit<LedgerSnapshot, 'isLost'> = {
    nowMs,
    limits,
    ...(isEndUnknown ? { isEndUnknown } : {}),
    ...(probedUntilMs > 0 ? { probedUntilMs } : {}),
    holdsOn: holdsOn.flatMap(({ reason, cause }) => (cause === undefined ? [reason] : [reason, cause])),
    hold: holdsOn.reduce<Hold | undefined>(
      (last, on) => (last && last.untilMs >= on.untilMs ? last : on),
      undefined,
    ),
    slotsInUse: inUse.map(({ countsFromMs, call }) => ({ freeAtMs: countsFromMs + longestMs, call })),
    ...(others.length > 0 && { othersCountFromMs: others }),
    ...(throttled.length > 0 && { othersThrottledFromMs: throttled }),
    workers: workersIn(signs, nowMs),
  };
  const records = inUse.flatMap(({ json, countsFromMs, call }) =>
    call ? [{ call, json, countsFromMs }] : [],
  );
  return { view, holds: holdsOn, records, isKnown: isKnown === 1, changes };
}

/** Ages joined by commas, newest first; as times, in order. */
function timesOf(ages: string, nowMs: number): number[] {
  return ages === ''
    ? []
    : ages
        .split(',')
        .map((age) => nowMs - Number(age))
        .toReversed();
}

function pairs<T>(flat: readonly T[]): [T, T][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => flat.slice(2 * i, 2 * i + 2) as [T, T]);
}
