import type { Logger } from '@diq/runtime/logger.ts';
import type { DispatchStore } from '@diq/queue/dispatch-store.ts';
import { restoreTickets } from '@diq/queue/restore-tickets.ts';
import type { TicketQueue } from '@diq/queue/ticket-queue.ts';

export interface TicketCheckOptions {
  dispatches: DispatchStore;
  tickets: TicketQueue;
  logger: Logger;
}

/**
 * Compares two numbers, and looks for missing tickets only when fewer tickets than open dispatches were seen twice in
 * a row: in between, an intake may just be adding the tickets of what it recorded.
 */
export function createTicketCheck({ dispatches, tickets, logger }: TicketCheckOptions): () => Promise<void> {
  let wereMissing = false;
  return async () => {
    const [open, present] = await Promise.all([dispatches.countWaiting(), tickets.countAll()]);
    const areMissing = present < open;
    if (areMissing && wereMissing) {
      const restored = await restoreTickets(dispatches, tickets);
      if (restored > 0) logger.warn({ restored }, 'dispatches had no ticket, restored');
    }
    wereMissing = areMissing;
  };
}
