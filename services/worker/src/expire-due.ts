import type { DispatchStore } from '@diq/queue/dispatch-store.ts';
import type { TicketQueue } from '@diq/queue/ticket-queue.ts';
import type { Logger } from '@diq/runtime/logger.ts';

export interface ExpireDueOptions {
  dispatches: Pick<DispatchStore, 'expireDue'>;
  tickets: Pick<TicketQueue, 'removeAll'>;
  logger: Pick<Logger, 'info'>;
}

/**
 * Ends every queued request whose own deadline was reached, in bounded steps. A ticket that is not taken out, because
 * this process ends in between or another worker holds it, finds nothing to do.
 *
 * @returns how many requests expired
 */
export async function expireDue({ dispatches, tickets, logger }: ExpireDueOptions): Promise<number> {
  let expired = 0;
  for (;;) {
    const { requestIds, ended } = await dispatches.expireDue();
    await tickets.removeAll(ended);
    if (requestIds.length === 0) return expired;
    logger.info({ requests: requestIds.length, dispatches: ended.length }, 'expired while waiting');
    expired += requestIds.length;
  }
}
