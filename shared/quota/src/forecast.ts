import type { LedgerSnapshot } from './ledger/replies.ts';

/** Permits that could be spent right now, a hold aside. */
export function freeSlots(view: LedgerSnapshot): number {
  return Math.min(...boundsOf(view).map(({ limit, slots }) => Math.max(0, limit - slots.length)));
}

/** When the next permit is free: now, or the time at which enough of those in use have come back. */
export function nextSlotAtMs(view: LedgerSnapshot): number {
  const openings = boundsOf(view).map(({ limit, slots }) => {
    const tooMany = slots.length - limit;
    return tooMany < 0 ? view.nowMs : (slots[tooMany]?.freeAtMs ?? view.nowMs);
  });
  return Math.max(...openings);
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
 * slot; the others leave those that are kept.
 */
export function createForecast(view: LedgerSnapshot): Forecast {
  return view.reserve && view.reserve.slots > 0 ? forecastWithReserve(view, view.reserve) : forecastFor(view);
}

function forecastFor(view: LedgerSnapshot): Forecast {
  const forecasts = boundsOf(view).map((bound) => forecastWithin(bound, view));
  const asItIs: Forecast = (position) => Math.max(...forecasts.map((forecast) => forecast(position)));
  const { limitUntilMs } = view;
  if (view.limit >= view.quotaLimit || limitUntilMs === undefined) return asItIs;
  return forecastBeyond(view, asItIs, limitUntilMs);
}

interface Bound {
  limit: number;
  slots: LedgerSnapshot['slotsInUse'];
}

/** Every call counts against the quota; against the estimate during foreign use count those that fitted. */
function boundsOf({ quotaLimit, limit, slotsInUse }: LedgerSnapshot): Bound[] {
  const quota = { limit: quotaLimit, slots: slotsInUse };
  if (limit >= quotaLimit) return [quota];
  return [quota, { limit, slots: slotsInUse.filter(({ call }) => call?.outcome !== 'throttled') }];
}

/** What starts before the lower limit ends starts by it; the rest by the full one, with those starts counted. */
function forecastBeyond(view: LedgerSnapshot, before: Forecast, endsAtMs: number): Forecast {
  const startsBefore: number[] = [];
  for (let atMs = before(1); atMs < endsAtMs; atMs = before(startsBefore.length + 1)) startsBefore.push(atMs);
  const freeAtMs = startsBefore.map((atMs) => atMs + view.windowMs);
  const slotsInUse = [
    ...view.slotsInUse,
    ...freeAtMs.map((ms) => ({ freeAtMs: ms, call: undefined })),
  ].toSorted((a, b) => a.freeAtMs - b.freeAtMs);
  const nowMs = Math.max(view.nowMs, endsAtMs);
  const after = forecastFor({ ...view, nowMs, limit: view.quotaLimit, slotsInUse });
  return (position) => startsBefore[position - 1] ?? after(position - startsBefore.length);
}

function forecastWithReserve(
  view: LedgerSnapshot,
  reserve: NonNullable<LedgerSnapshot['reserve']>,
): Forecast {
  const { quotaLimit, limit, limitUntilMs, windowMs } = view;
  const { slots, criticalWaiting } = reserve;
  const first = forecastFor(view);
  const last = Math.max(0, criticalWaiting);
  // Of the starts before, the last ones can still be in use.
  const startsMs = Array.from({ length: Math.min(last, quotaLimit) }, (_, i) => first(last - i));
  const nowMs = startsMs[0] ?? view.nowMs;
  const freeAtMs = startsMs.map((atMs) => ({ freeAtMs: atMs + windowMs, call: undefined }));
  const slotsInUse = [...view.slotsInUse, ...freeAtMs].toSorted((a, b) => a.freeAtMs - b.freeAtMs);
  const left = Math.max(1, quotaLimit - slots);
  // The lower limit leaves nothing for the others until it ends.
  const waitsMs = limit < quotaLimit && limit <= slots ? (limitUntilMs ?? nowMs) : nowMs;
  const rest = forecastFor({
    ...view,
    nowMs: Math.max(nowMs, waitsMs),
    slotsInUse,
    quotaLimit: left,
    limit: limit <= slots ? left : limit - slots,
  });
  return (position) => (position <= last ? first(position) : rest(position - last));
}

function forecastWithin(bound: Bound, view: LedgerSnapshot): Forecast {
  const { windowMs } = view;
  const opensAt = slotOpenings(bound, view);
  const baseMs = Math.min(...opensAt);
  // Counted from the first opening: a hold without an end is a time too large to be halved exactly.
  const offsetsMs = opensAt.map((timeMs) => timeMs - baseMs).toSorted((a, b) => a - b);
  const lastOffsetMs = offsetsMs.at(-1) ?? 0;
  if (lastOffsetMs <= windowMs) {
    // The slots take turns, as they do unless a call is in flight.
    return (position) => {
      const turn = Math.floor((position - 1) / offsetsMs.length);
      return baseMs + turn * windowMs + (offsetsMs[(position - 1) % offsetsMs.length] ?? 0);
    };
  }
  const openedBy = (offsetMs: number) =>
    offsetsMs.reduce((sum, firstMs) => sum + Math.max(0, Math.floor((offsetMs - firstMs) / windowMs) + 1), 0);
  // One slot opens later than another that is used twice by then. So the time at which enough have opened is searched
  // for, by halving.
  return (position) => {
    let [early, late] = [0, lastOffsetMs + position * windowMs];
    while (early < late) {
      const middle = Math.floor((early + late) / 2);
      if (openedBy(middle) < position) early = middle + 1;
      else late = middle;
    }
    return baseMs + early;
  };
}

/** The times at which the slots open first, one per slot of the limit; none before now or the hold's end. */
function slotOpenings({ limit, slots }: Bound, view: LedgerSnapshot): number[] {
  const earliest = Math.max(view.nowMs, view.hold?.untilMs ?? 0);
  const inUse = slots.slice(-limit).map((slot) => Math.max(slot.freeAtMs, earliest));
  return [...Array.from({ length: limit - inUse.length }, () => earliest), ...inUse];
}
