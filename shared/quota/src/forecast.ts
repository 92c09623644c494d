import type { LedgerView } from './ledger-replies.ts';

/** Permits that could be spent right now, a hold aside. */
export function freeSlots(view: LedgerView): number {
  return Math.min(...boundsOf(view).map(({ limit, slots }) => Math.max(0, limit - slots.length)));
}

/** When the next permit is free: now, or the time at which enough of those in use have come back. */
export function nextSlotAtMs(view: LedgerView): number {
  const openings = boundsOf(view).map(({ limit, slots }) => {
    const tooMany = slots.length - limit;
    return tooMany < 0 ? view.nowMs : (slots[tooMany]?.freeAtMs ?? view.nowMs);
  });
  return Math.max(...openings);
}

/**
 * When the call at this place in the order (1 is next) can start, if nothing changes: every slot is used the moment it
 * opens and comes back one window later. Calls are taken to be instant, so the time is early by their latencies.
 */
export function expectedStartAtMs(view: LedgerView, position: number): number {
  return Math.max(...boundsOf(view).map((bound) => startWithin(bound, view, position)));
}

interface Bound {
  limit: number;
  slots: LedgerView['slotsInUse'];
}

/** Every call counts against the quota; against the estimate during foreign use count those that fitted. */
function boundsOf({ quotaLimit, limit, slotsInUse }: LedgerView): Bound[] {
  const quota = { limit: quotaLimit, slots: slotsInUse };
  if (limit >= quotaLimit) return [quota];
  return [quota, { limit, slots: slotsInUse.filter(({ call }) => call?.outcome !== 'throttled') }];
}

function startWithin(bound: Bound, view: LedgerView, position: number): number {
  const opensAt = slotOpenings(bound, view);
  const { windowMs } = view;
  const baseMs = Math.min(...opensAt);
  // Counted from the first opening: a hold without an end is a time too large to be halved exactly.
  const offsetsMs = opensAt.map((timeMs) => timeMs - baseMs);
  const openedBy = (offsetMs: number) =>
    offsetsMs.reduce((sum, firstMs) => sum + Math.max(0, Math.floor((offsetMs - firstMs) / windowMs) + 1), 0);

  // The slots do not take turns: one whose call is under way opens later than another that is used twice by then. So
  // the time at which enough have opened is searched for, by halving.
  let [early, late] = [0, Math.max(...offsetsMs) + position * windowMs];
  while (early < late) {
    const middle = Math.floor((early + late) / 2);
    if (openedBy(middle) < position) early = middle + 1;
    else late = middle;
  }
  return baseMs + early;
}

/** The times at which the slots open first, one per slot of the limit; none before now or the hold's end. */
function slotOpenings({ limit, slots }: Bound, view: LedgerView): number[] {
  const earliest = Math.max(view.nowMs, view.hold?.untilMs ?? 0);
  const inUse = slots.slice(-limit).map((slot) => Math.max(slot.freeAtMs, earliest));
  return [...Array.from({ length: limit - inUse.length }, () => earliest), ...inUse];
}
