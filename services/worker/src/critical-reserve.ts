import type { DispatchStore } from '@diq/queue/dispatch-store.ts';
import type { TicketQueue } from '@diq/queue/ticket-queue.ts';
import type { DrawLoopOptions } from './draw-loop.ts';

/** Among so many that are next a critical one is looked for. They stand at the head of the order, but for what is below. */
const lookedAt = 250;
/** In front of everybody, see `lua/move-to-head.lua`. */
const firstRank = 1;

/**
 * The slots that are kept for critical requests, and how the draw loop tells who may have one. Somebody else can stand in
 * front of a critical request: moved to the head by an operator, or in a class whose head start is hardly shorter. Such a
 * one may not have the slot, so the critical one is put before it.
 */
export function criticalReserve(
  { reserveForCritical }: { reserveForCritical: number },
  {
    tickets,
    dispatches,
  }: {
    tickets: Pick<TicketQueue, 'next' | 'nextOnes' | 'setRanks'>;
    dispatches: Pick<DispatchStore, 'classOf' | 'firstOf'>;
  },
): Required<Pick<DrawLoopOptions, 'reserveForCritical' | 'isCriticalNext' | 'isCritical'>> {
  const isCritical = async (dispatchId: string) => (await dispatches.classOf(dispatchId)) === 'critical';
  return {
    reserveForCritical,
    async isCriticalNext() {
      const next = await tickets.next();
      if (next === undefined) return false;
      if (await isCritical(next)) return true;
      const dispatchId = await dispatches.firstOf('critical', () => tickets.nextOnes(lookedAt));
      if (dispatchId === undefined) return false;
      await tickets.setRanks([{ dispatchId, rank: firstRank }]);
      return (await tickets.next()) === dispatchId;
    },
    isCritical: ({ dispatchId }) => isCritical(dispatchId),
  };
}
