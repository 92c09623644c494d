import type { LedgerSnapshot, LimitState } from './ledger/replies.ts';
import { freeSlotsOf, longestWindowMs, nextSlotOf, scarcestLimit } from './limits.ts';

/** Permits that could be spent right now, a hold aside: a call needs a slot of each limit. */
export function freeSlots(view: LedgerSnapshot): number {
  return freeSlotsOf(scarcestLimit(view));
}

/** When the next permit is free: now, or the time at which a slot of each limit is. */
export function nextSlotAtMs(view: LedgerSnapshot): number {
  return Math.max(...view.limits.map((limit) => nextSlotOf(limit, view.nowMs)));
}

/**
 * When the slot after the last free one opens, if that one is used now. `undefined` where the view does not show it: a process
 * that has opened the ledger sees the newest permits in use and of older ones only how many there are.
 */
export function slotAfterLastAtMs(view: LedgerSnapshot): number | undefined {
  const seen = view.slotsInUse.length + (view.othersCountFromMs?.length ?? 0);
  const isSeen = view.limits.every((limit) => freeSlotsOf(limit) > 1 || limit.used <= seen);
  return isSeen ? expectedStartAtMs(view, 2) : undefined;
}

/** When the call at this place in the order (1 is next) can start, in ms of the ledger's clock. */
export type Forecast = (position: number) => number;

/** The forecast for one place; see `createForecast`. */
export function expectedStartAtMs(view: LedgerSnapshot, position: number): number {
  return createForecast(view)(position);
}

/**
 * Forecasts starts from the ledger as it is, if nothing changes: every slot is used the moment it opens and comes back
 * one window later. Calls are taken to be instant, so a time is early by their latencies. A limit lowered by foreign
 * use is taken to be the full one again when its time is over. Critical calls stand before all others and may use every
 * slot; the others leave those that are kept, in each window.
 *
 * The starts are worked out one after the other, as far as they are asked for. Once one limit alone has decided for as
 * many calls as the longest window holds, they repeat: what follows is the same again, one of its windows later.
 */
export function createForecast(view: LedgerSnapshot): Forecast {
  const starts: number[] = [];
  const next = nextStarts(view);
  const repetition = createRepetition(view);
  let repeats: { calls: number; windowMs: number } | undefined;
  return (position) => {
    while (starts.length < position && !repeats) {
      const start = next(starts.length + 1);
      starts.push(start.atMs);
      repeats = repetition(start);
    }
    if (position <= starts.length || !repeats) return starts[position - 1] ?? view.nowMs;
    const { calls, windowMs } = repeats;
    const turns = Math.ceil((position - starts.length) / calls);
    return (starts[position - 1 - turns * calls] ?? 0) + turns * windowMs;
  };
}

interface Start {
  atMs: number;
  /** Whether all starts after it follow from those before it alone: no hold, no lower limit and no call in flight does. */
  isRegular: boolean;
  /** By limit: when its slot opened. */
  opened: number[];
}

/** The time of one start after the other. */
function nextStarts(view: LedgerSnapshot): (position: number) => Start {
  const { limits, reserve } = view;
  const earliestMs = Math.max(view.nowMs, view.hold?.untilMs ?? 0);
  const longestMs = longestWindowMs(limits);
  const listed = view.slotsInUse.map(({ freeAtMs, call }) => ({
    atMs: freeAtMs - longestMs,
    isThrottled: call?.outcome === 'throttled',
  }));
  const others = view.othersCountFromMs ?? [];
  const counted = createTimes([...others, ...listed.map(({ atMs }) => atMs)]);
  const lastLowerMs = Math.max(0, ...limits.map(({ lower }) => lower?.untilMs ?? 0));
  /** Those that count against a lower limit. */
  const fitted =
    lastLowerMs > 0
      ? createTimes([
          ...without(others, view.othersThrottledFromMs ?? []),
          ...listed.filter(({ isThrottled }) => !isThrottled).map(({ atMs }) => atMs),
        ])
      : undefined;

  const isReserved = reserve !== undefined && reserve.slots > 0;
  return (position) => {
    const kept = isReserved && position > reserve.criticalWaiting ? reserve.slots : 0;
    let atMs = earliestMs;
    const opened: number[] = [];
    for (const limit of limits) {
      const openedAtMs = counted.nthNewest(Math.max(1, limit.quotaCalls - kept)) + limit.windowMs;
      opened.push(openedAtMs);
      atMs = Math.max(atMs, openedAtMs, fitted ? lowerOpensAtMs(limit, kept, fitted) : 0);
    }
    const isLast = counted.add(atMs);
    fitted?.add(atMs);
    const isSettled = !isReserved || kept > 0;
    return { atMs, isRegular: isLast && isSettled && atMs > earliestMs && atMs > lastLowerMs, opened };
  };
}

/** When a lower limit has a slot, or ends. */
function lowerOpensAtMs(
  { calls, windowMs, lower }: LimitState,
  kept: number,
  fitted: ReturnType<typeof createTimes>,
): number {
  if (!lower) return 0;
  // A lower limit can leave nothing for calls that are not critical.
  return calls <= kept ? lower.untilMs : Math.min(lower.untilMs, fitted.nthNewest(calls - kept) + windowMs);
}

/** Of times in order those that are left when these, in order too, are taken out, each once. */
function without(times: readonly number[], taken: readonly number[]): number[] {
  let next = 0;
  return times.filter((atMs) => {
    const isTaken = taken[next] === atMs;
    if (isTaken) next += 1;
    return !isTaken;
  });
}

/** Times from which calls count, in order. */
function createTimes(known: number[]) {
  const times = known.toSorted((a, b) => a - b);
  return {
    /** Long ago where there are fewer. */
    nthNewest: (n: number) => times[times.length - n] ?? -Infinity,
    /** @returns whether none is later, as one is while its call is in flight */
    add(atMs: number): boolean {
      let later = 0;
      while (later < times.length && (times[times.length - 1 - later] ?? atMs) > atMs) later += 1;
      if (later === 0) times.push(atMs);
      else times.splice(times.length - later, 0, atMs);
      return later === 0;
    },
  };
}

/**
 * Notices when one limit alone has decided when the calls started, for as many of them as all limits look back at. The
 * same follows then, over and over.
 */
function createRepetition({ limits, reserve }: LedgerSnapshot) {
  const longest = Math.max(...limits.map(({ quotaCalls }) => quotaCalls));
  const runs = limits.map(() => 0);
  return ({ atMs, isRegular, opened }: Start): { calls: number; windowMs: number } | undefined => {
    for (const [i, openedAtMs] of opened.entries()) {
      runs[i] = isRegular && openedAtMs === atMs ? (runs[i] ?? 0) + 1 : 0;
    }
    const i = runs.findIndex((run) => run >= longest);
    const limit = limits[i];
    if (!limit) return undefined;
    return { calls: Math.max(1, limit.quotaCalls - (reserve?.slots ?? 0)), windowMs: limit.windowMs };
  };
}
