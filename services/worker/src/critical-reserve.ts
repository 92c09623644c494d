import type { DispatchStore } from '@diq/queue/dispatch-store.ts';
import type { TicketQueue } from '@diq/queue/ticket-queue.ts';
import type { DrawLoopOptions } from './draw-loop.ts';

/**
 * The slots that are kept for critical requests, and how the draw loop tells who may have one. Critical requests stand at
 * the head of the order, so nobody behind the first has to be looked at.
 */
export function criticalReserve(
  { reserveForCritical }: { reserveForCritical: number },
  { tickets, dispatches }: { tickets: Pick<TicketQueue, 'next'>; dispatches: Pick<DispatchStore, 'classOf'> },
): Required<Pick<DrawLoopOptions, 'reserveForCritical' | 'isCriticalNext' | 'isCritical'>> {
  const isCritical = async (dispatchId: string) => (await dispatches.classOf(dispatchId)) === 'critical';
  return {
    reserveForCritical,
    async isCriticalNext() {
      const dispatchId = await tickets.next();
      return dispatchId !== undefined && isCritical(dispatchId);
    },
    isCritical: ({ dispatchId }) => isCritical(dispatchId),
  };
}
