import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import type { Logger } from '@diq/runtime/logger.ts';
import type { Dispatch, DispatchStore } from '@diq/queue/dispatch-store.ts';
import type { Permit } from '@diq/quota/permit-limiter.ts';
import { runDispatch } from './run-dispatch.ts';
import type { DispatchSteps, TicketFate } from './run-dispatch.ts';
import type { DrawnTicket } from './ticket-drawer.ts';

export interface ServeTicketOptions {
  dispatches: DispatchStore;
  steps: DispatchSteps;
  logger: Logger;
}

const afterErrorMs = 500;

/**
 * Sees one drawn ticket through. It never fails a ticket: what goes wrong on our side (Redis away, a fault of ours)
 * puts it back, and the dispatch says where it stands.
 */
export function createServeTicket(options: ServeTicketOptions) {
  return async (ticket: DrawnTicket, permit: Permit): Promise<void> => {
    const onlyOnce = releaseOnce(permit);
    try {
      const fate = await serve(ticket, onlyOnce, options);
      await (fate === 'done' ? ticket.useUp() : ticket.putBack());
    } catch (error) {
      options.logger.error(
        { err: error, dispatchId: ticket.dispatchId },
        'dispatch not seen through, put back',
      );
      onlyOnce.release();
      // Put back at once it would be drawn again at once, ahead of everybody behind it.
      await wait(afterErrorMs, undefined, { ref: false });
      await ticket.putBack();
    } finally {
      onlyOnce.release();
    }
  };
}

async function serve(ticket: DrawnTicket, permit: Permit, options: ServeTicketOptions): Promise<TicketFate> {
  const dispatch = await readDispatch(ticket.dispatchId, options.dispatches);
  if (dispatch === undefined) return 'done';
  if (dispatch !== 'unreadable' && ticket.isReadable) {
    return runDispatch(dispatch, permit, options.steps, Date.now());
  }
  await failUnreadable(ticket.dispatchId, options);
  return 'done';
}

async function readDispatch(
  id: string,
  dispatches: DispatchStore,
): Promise<Dispatch | 'unreadable' | undefined> {
  try {
    return await dispatches.find(id);
  } catch (error) {
    // Put back, it would be drawn again at once, before everybody behind it.
    if (error instanceof z.ZodError || error instanceof SyntaxError) return 'unreadable';
    throw error;
  }
}

/** What another version wrote may mean something else than it seems to: it is failed visibly, and blocks nobody. */
async function failUnreadable(
  dispatchId: string,
  { dispatches, steps, logger }: ServeTicketOptions,
): Promise<void> {
  const error = {
    code: 'payload_unreadable',
    message: 'The queue holds this request in a form that this version of the worker does not understand.',
  };
  const callId = steps.newCallId();
  await dispatches.begin(dispatchId, callId);
  await dispatches.settle(dispatchId, callId, { status: 'failed', error, attempts: 0 });
  logger.error({ dispatchId }, 'ticket or request unreadable, dispatch failed');
}

/** A permit that takes the first word for it and ignores the others. */
function releaseOnce(permit: Permit): Permit {
  let isOver = false;
  const once = (act: () => void) => () => {
    if (isOver) return;
    isOver = true;
    act();
  };
  return {
    spent: () => permit.spent(),
    release: once(() => permit.release()),
    keepForOneWindow: once(() => permit.keepForOneWindow()),
  };
}
