import type { DispatchStore } from '@diq/queue/dispatch-store.ts';
import type { TicketQueue } from '@diq/queue/ticket-queue.ts';
import type { Ledger } from '@diq/quota/ledger.ts';

export interface SetAsideOptions {
  ledger: Pick<Ledger, 'asideOver' | 'isAside' | 'forgetAside'>;
  dispatches: Pick<DispatchStore, 'ranksOf'>;
  tickets: Pick<TicketQueue, 'setRanks'>;
}

/** Tickets of refused calls that stand behind all others, so that it shows whether those are refused too. */
export interface SetAside {
  /** Behind all others, in the order in which they came there. The ledger's record of it goes before. */
  put(dispatchId: string): Promise<void>;
  /** Back to their places: those for which enough others were answered well. Safe to repeat, by anybody. */
  takeBack(): Promise<void>;
}

/** BullMQ's last. */
const lastRank = 2_097_151;

export function createSetAside({ ledger, dispatches, tickets }: SetAsideOptions): SetAside {
  // Their own places stand with the dispatches, which nothing here changes.
  const restore = async (ids: readonly string[]) => tickets.setRanks(await dispatches.ranksOf(ids));

  return {
    async put(dispatchId) {
      await tickets.setRanks([{ dispatchId, rank: lastRank }]);
      // Another call may have been answered well between the record and this.
      if (!(await ledger.isAside(dispatchId))) await restore([dispatchId]);
    },
    async takeBack() {
      const ids = await ledger.asideOver();
      if (ids.length === 0) return;
      await restore(ids);
      await ledger.forgetAside(ids);
    },
  };
}
