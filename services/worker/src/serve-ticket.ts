import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '@diq/runtime/logger.ts';
import type { DispatchStore } from '@diq/queue/dispatch-store.ts';
import type { Permit } from '@diq/quota/permit-limiter.ts';
import { readDispatch, unreadable } from './end-unreadable.ts';
import { runDispatch } from './run-dispatch.ts';
import type { DispatchSteps, TicketFate } from './run-dispatch.ts';
import type { SetAside } from './set-aside.ts';
import type { DrawnTicket } from './ticket-drawer.ts';

export interface ServeTicketOptions {
  dispatches: DispatchStore;
  steps: DispatchSteps;
  aside: SetAside;
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
      // Before it is put back, so that nobody draws it at once; and once more after, behind those that came there before.
      if (fate === 'aside') await arrangeAside(fate, ticket.dispatchId, options);
      await (fate === 'done' ? ticket.useUp() : ticket.putBack());
      await arrangeAside(fate, ticket.dispatchId, options);
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

/** What is left undone here the housekeeping does. */
async function arrangeAside(
  fate: TicketFate,
  dispatchId: string,
  { aside, logger }: ServeTicketOptions,
): Promise<void> {
  try {
    await (fate === 'aside' ? aside.put(dispatchId) : aside.takeBack());
  } catch (error) {
    logger.warn({ err: error, dispatchId }, 'refused calls not put in their places for now');
  }
}

async function serve(ticket: DrawnTicket, permit: Permit, options: ServeTicketOptions): Promise<TicketFate> {
  const dispatch = await readDispatch(ticket.dispatchId, options.dispatches);
  if (dispatch !== undefined && dispatch !== 'unreadable' && ticket.isReadable) {
    return runDispatch(dispatch, permit, options.steps, Date.now());
  }
  // Put back, it would be drawn again at once, before everybody behind it.
  await failUnreadable(ticket.dispatchId, options);
  return 'done';
}

/**
 * What another version wrote may mean something else than it seems to: it is failed visibly, and blocks nobody. So is what
 * is gone, where the queue still counts it.
 */
async function failUnreadable(
  dispatchId: string,
  { dispatches, steps, logger }: ServeTicketOptions,
): Promise<void> {
  const callId = steps.newCallId();
  const { moved } = await dispatches.begin(dispatchId, callId);
  if (!moved) return;
  await dispatches.settle(dispatchId, callId, { status: 'failed', error: unreadable, attempts: 0 });
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
