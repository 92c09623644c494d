import type { DispatchStore } from './dispatch-store.ts';
import type { TicketQueue } from './ticket-queue.ts';

/** Dispatches looked at in one pipeline. */
const pageSize = 500;

/**
 * Gives every waiting dispatch its ticket back if it has none: an intake that died between recording requests and
 * adding their tickets, or a ticket the queue dropped. Safe beside other workers that do the same.
 *
 * @returns how many tickets were missing
 */
export async function restoreTickets(dispatches: DispatchStore, tickets: TicketQueue): Promise<number> {
  let restored = 0;
  for (let offset = 0; ; offset += pageSize) {
    const ids = await dispatches.waitingPage(offset, pageSize);
    const found = await tickets.have(ids);
    const missing = ids.filter((_, i) => found[i] === false);
    await tickets.add(await dispatches.ranksOf(missing));
    restored += missing.length;
    if (ids.length < pageSize) return restored;
  }
}
