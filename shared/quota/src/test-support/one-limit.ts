import type { LimitState, SlotInUse } from '../ledger/replies.ts';

/** The limits of a snapshot with a single one: so many calls in a window, these slots in use, in order. */
export function oneLimit(
  calls: number,
  windowMs: number,
  slotsInUse: readonly Pick<SlotInUse, 'freeAtMs'>[] = [],
): [LimitState] {
  const opensAtMs = slotsInUse[slotsInUse.length - calls]?.freeAtMs;
  const used = slotsInUse.length;
  return [{ windowMs, calls, quotaCalls: calls, used, ...(opensAtMs !== undefined && { opensAtMs }) }];
}
