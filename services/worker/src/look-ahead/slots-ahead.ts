import { createForecast } from '@diq/quota/forecast.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';

/**
 * So long before its slot opens a task is looked at: time for the reads and for those behind it, where it turns out to need
 * none. What is seen then is hardly older when the call would be made.
 */
export const aheadMs = 20_000;
/** A handful: more than can be asked about at once is no use. */
const mostAhead = 20;

/** How many calls could be made within `aheadMs`, a hold included. */
export function slotsAhead(view: LedgerSnapshot): number {
  const startsAtMs = createForecast(view);
  let slots = 0;
  while (slots < mostAhead && startsAtMs(slots + 1) <= view.nowMs + aheadMs) slots += 1;
  return slots;
}

/** Few slots: each of the next tasks is looked at before its call. Many: in portions, which take fewer reads. */
export function enoughFor(slots: number): number {
  return slots <= mostAhead / 2 ? slots : Math.ceil(slots / 4);
}
