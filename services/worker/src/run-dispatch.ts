import type { Dispatch } from '@diq/queue/dispatch-store.ts';
import type { Verdict } from '@diq/quota/ledger.ts';
import type { SpendReply } from '@diq/quota/ledger-replies.ts';
import type { CallOutcome } from './defender/defender-client.ts';
import type { TokenResult } from './defender/token-provider.ts';
import { consequenceOf, requestsBy } from './consequence.ts';
import type { Consequence } from './consequence.ts';

/** What becomes of the ticket: it is used up, or goes back to its place in the order, or behind all others for now. */
export type TicketFate = 'done' | 'back' | 'aside';

/** One call about to be made. */
export interface Call {
  callId: string;
  dispatch: Dispatch;
  /** Running since just before the permit was asked for: a process can be frozen at any point after. */
  sendBy: SendDeadline;
}

/** How long ago the permit was asked for. */
export interface SendDeadline {
  /** Too late to begin: connecting and answering need the time that is left. */
  mayBegin(): boolean;
  /** Too late for a single byte: the ledger counts the call as over. */
  mayStillSend(): boolean;
}

/** The steps of a dispatch, in the order in which it meets them. What they do it with is not known here. */
export interface DispatchSteps {
  newCallId(): string;
  startSendDeadline(): SendDeadline;
  getToken(dispatch: Dispatch): Promise<TokenResult>;
  /** Nobody calls for a while, because there is no token to call with. */
  holdWithoutToken(token: Extract<TokenResult, { kind: 'unavailable' }>): Promise<void>;
  spend(callId: string, dispatch: Dispatch): Promise<SpendReply>;
  /** The ledger said no although a permit was in hand. */
  onRefusal(reply: Exclude<SpendReply, { kind: 'granted' }>, dispatch: Dispatch): Promise<TicketFate>;
  /** False when the dispatch is no longer there to be called: cancelled, or in other hands. */
  begin(call: Call): Promise<boolean>;
  /** Undoes intent and permit of a call that was not made; also where it is not known whether they were recorded. */
  giveBackUnused(call: Call): Promise<void>;
  call(call: Call, token: string): Promise<CallOutcome>;
  /** Stores what came of it: ledger, holds, requests. Does not give up while the process lives. */
  record(call: Call, outcome: CallOutcome, consequence: Consequence): Promise<Verdict>;
  expire(dispatch: Dispatch): Promise<void>;
}

/** The permit in hand. */
export interface PermitInHand {
  /** The ledger has granted a call with it. */
  spent(): void;
  keepForOneWindow(): void;
  release(): void;
}

/**
 * One dispatch, from the permit in hand to the stored outcome: token → intent → last gate → call → record.
 * Whatever ends it before the call leaves quota and dispatch as they were.
 */
export async function runDispatch(
  dispatch: Dispatch,
  permit: PermitInHand,
  steps: DispatchSteps,
  nowMs: number,
): Promise<TicketFate> {
  let spent = false;
  try {
    // In another call's hands, or settled already: a second ticket for it has nothing to do.
    if (dispatch.state !== 'waiting') return 'done';
    if (dispatch.notAfterMs !== undefined && dispatch.notAfterMs <= nowMs) {
      await steps.expire(dispatch);
      return 'done';
    }
    const token = await steps.getToken(dispatch);
    if (token.kind === 'unavailable') {
      await steps.holdWithoutToken(token);
      return 'back';
    }
    const call = { callId: steps.newCallId(), dispatch, sendBy: steps.startSendDeadline() };
    const reply = await spendOrUndo(call, steps);
    if (reply.kind !== 'granted') return await steps.onRefusal(reply, dispatch);
    permit.spent();
    if (!(await isBegun(call, steps))) return 'done';

    // From here on it may have left, even if no outcome comes back.
    spent = true;
    const outcome = await steps.call(call, token.token);
    const consequence = consequenceOf(outcome);
    spent = consequence.permit === 'spent';
    const verdict = await steps.record(call, outcome, consequence);
    if (requestsBy(verdict, consequence).kind !== 'give-back') return 'done';
    return verdict === 'aside' ? 'aside' : 'back';
  } finally {
    if (spent) permit.keepForOneWindow();
    else permit.release();
  }
}

/** A reply that is lost leaves open whether the permit was spent; kept, it would be out for a window and never used. */
async function spendOrUndo(call: Call, steps: DispatchSteps): Promise<SpendReply> {
  try {
    return await steps.spend(call.callId, call.dispatch);
  } catch (error) {
    await steps.giveBackUnused(call).catch(() => undefined);
    throw error;
  }
}

/** Nothing has left yet: when the last gate stays shut, or cannot be asked, everything is undone. */
async function isBegun(call: Call, steps: DispatchSteps): Promise<boolean> {
  try {
    if (await steps.begin(call)) return true;
  } catch (error) {
    await steps.giveBackUnused(call);
    throw error;
  }
  await steps.giveBackUnused(call);
  return false;
}
