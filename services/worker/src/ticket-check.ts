import type { Logger } from '@diq/runtime/logger.ts';
import type { DispatchStore } from '@diq/queue/dispatch-store.ts';
import { restoreTickets } from '@diq/queue/restore-tickets.ts';
import type { TicketQueue } from '@diq/queue/ticket-queue.ts';

export interface TicketCheckOptions {
  dispatches: DispatchStore;
  tickets: TicketQueue;
  logger: Logger;
  /** Dispatches compared by id at a time. */
  pageSize?: number;
}

/**
 * Gives dispatches that wait without a ticket their ticket back. Two numbers tell at once that many are missing: fewer
 * tickets than open dispatches. One ticket too many can hide one that is missing, so ids are compared as well, a page
 * at each look. Either way only what is missing twice is restored: in between, an intake may just be adding the tickets
 * of what it recorded.
 */
export function createTicketCheck(options: TicketCheckOptions): () => Promise<void> {
  const { dispatches, tickets, logger } = options;
  const comparePage = createPageCheck(options);
  let wereFewer = false;
  return async () => {
    const [open, present] = await Promise.all([dispatches.countWaiting(), tickets.countAll()]);
    const areFewer = present < open;
    const restored = areFewer && wereFewer ? await restoreTickets(dispatches, tickets) : await comparePage();
    wereFewer = areFewer;
    if (restored > 0) logger.warn({ restored }, 'dispatches had no ticket, restored');
  };
}

/** One page further with each call, and from the beginning again. @returns how many tickets were restored */
function createPageCheck({ dispatches, tickets, pageSize = 250 }: TicketCheckOptions) {
  let offset = 0;
  let suspects: readonly string[] = [];

  async function withoutTicket(ids: readonly string[]): Promise<string[]> {
    const found = ids.length > 0 ? await tickets.have(ids) : [];
    return ids.filter((_, i) => found[i] === false);
  }

  return async (): Promise<number> => {
    const again = await withoutTicket(suspects);
    // Called or ended meanwhile, it needs none; added all the same, it would find nothing to do.
    const missing = await dispatches.ranksOf(again);
    if (missing.length > 0) await tickets.add(missing);
    const page = await dispatches.waitingPage(offset, pageSize);
    suspects = await withoutTicket(page);
    offset = page.length < pageSize ? 0 : offset + pageSize;
    return missing.length;
  };
}
