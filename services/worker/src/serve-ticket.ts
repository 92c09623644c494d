import type { Logger } from '@diq/runtime/logger.ts';
import type { Dispatch, DispatchStore } from '@diq/queue/dispatch-store.ts';
import type { Permit } from '@diq/quota/permit-limiter.ts';
import { runDispatch } from './run-dispatch.ts';
import type { DispatchSteps } from './run-dispatch.ts';
import type { DrawnTicket } from './ticket-drawer.ts';

export interface ServeTicketOptions {
  dispatches: DispatchStore;
  steps: DispatchSteps;
  logger: Logger;
}

/**
 * Sees one drawn ticket through. It never fails a ticket: what goes wrong on our side (Redis away, a fault of ours)
 * puts it back, and the dispatch says where it stands.
 */
export function createServeTicket({ dispatches, steps, logger }: ServeTicketOptions) {
  return async (ticket: DrawnTicket, permit: Permit): Promise<void> => {
    const onlyOnce = releaseOnce(permit);
    try {
      const dispatch = await dispatches.find(ticket.dispatchId);
      if (dispatch && !ticket.isReadable) await failUnreadable(dispatch, { dispatches, steps, logger });
      const isCallable = dispatch !== undefined && ticket.isReadable;
      const fate = isCallable ? await runDispatch(dispatch, onlyOnce, steps, Date.now()) : 'done';
      await (fate === 'done' ? ticket.useUp() : ticket.putBack());
    } catch (error) {
      logger.error({ err: error, dispatchId: ticket.dispatchId }, 'dispatch not seen through, put back');
      await ticket.putBack();
    } finally {
      onlyOnce.release();
    }
  };
}

/** What another version wrote may mean something else than it seems to: it is failed visibly, and blocks nobody. */
async function failUnreadable(
  dispatch: Dispatch,
  { dispatches, steps, logger }: ServeTicketOptions,
): Promise<void> {
  const error = {
    code: 'payload_unreadable',
    message: 'The queue holds this request in a form that this version of the worker does not understand.',
  };
  const callId = steps.newCallId();
  await dispatches.begin(dispatch.id, callId);
  await dispatches.settle(dispatch.id, callId, { status: 'failed', error, attempts: 0 });
  logger.error(
    { dispatchId: dispatch.id, machineId: dispatch.machineId },
    'ticket unreadable, dispatch failed',
  );
}

/** A permit that takes the first word for it and ignores the others. */
function releaseOnce(permit: Permit): Permit {
  let isOver = false;
  const once = (act: () => void) => () => {
    if (isOver) return;
    isOver = true;
    act();
  };
  return { release: once(() => permit.release()), keepForOneWindow: once(() => permit.keepForOneWindow()) };
}
