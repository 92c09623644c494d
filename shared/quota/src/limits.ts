import type { Limit } from '@diq/contracts/operations.ts';
import type { LedgerSnapshot, LimitState } from './ledger/replies.ts';

/** The longest window, after which a call counts in none. */
export function longestWindowMs(limits: readonly Pick<Limit, 'windowMs'>[]): number {
  return Math.max(...limits.map(({ windowMs }) => windowMs));
}

/** The most calls that any of the windows takes. */
export function mostCalls(limits: readonly Pick<Limit, 'calls'>[]): number {
  return Math.max(...limits.map(({ calls }) => calls));
}

/** The limit of the shortest window. Where a longer one allows no more calls, it is that one: it is reached first. */
export function shortestLimit(limits: readonly Limit[]): Limit {
  return limits
    .toSorted((one, other) => one.calls - other.calls || other.windowMs - one.windowMs)
    .reduce((first) => first);
}

/** The limit that decides in the long run: the one whose calls are furthest apart. */
export function slowestLimit(limits: readonly Limit[]): Limit {
  return limits.reduce((slowest, limit) =>
    limit.windowMs / limit.calls > slowest.windowMs / slowest.calls ? limit : slowest,
  );
}

/** Slots of a window that are free: every call counts against the quota, against a lower limit those that fitted. */
export function freeSlotsOf({ calls, quotaCalls, used, lower }: LimitState): number {
  return Math.max(0, Math.min(quotaCalls - used, lower ? calls - lower.used : Infinity));
}

/** When the next slot of a window is free: now, or the time at which enough of those in use have come back. */
export function nextSlotOf({ opensAtMs = 0, lower }: LimitState, nowMs: number): number {
  return Math.max(nowMs, opensAtMs, lower?.opensAtMs ?? 0);
}

/** The limit that stops calls first: the one with the fewest free slots; of several without one, the one that opens last. */
export function scarcestLimit({ limits, nowMs }: Pick<LedgerSnapshot, 'limits' | 'nowMs'>): LimitState {
  return limits.reduce((scarcest, limit) => {
    const fewer = freeSlotsOf(scarcest) - freeSlotsOf(limit);
    const later = nextSlotOf(limit, nowMs) - nextSlotOf(scarcest, nowMs);
    return fewer > 0 || (fewer === 0 && later > 0) ? limit : scarcest;
  });
}
