import { z } from 'zod';
import type { Logger } from '@diq/runtime/logger.ts';
import { requestError } from '@diq/contracts/request-document.ts';
import { doubtCauses } from '@diq/queue/dispatch-store.ts';
import type { DispatchStore } from '@diq/queue/dispatch-store.ts';
import type { TicketQueue } from '@diq/queue/ticket-queue.ts';
import type { Ledger } from '@diq/quota/ledger.ts';
import { aboutDispatch } from './about-dispatch.ts';
import { endUnreadable, readDispatch } from './end-unreadable.ts';
import { abandonedCall } from './consequence.ts';
import type { Consequence } from './consequence.ts';
import { moveRequests } from './move-requests.ts';

export interface RecoveryOptions {
  ledger: Ledger;
  dispatches: DispatchStore;
  tickets: TicketQueue;
  logger: Logger;
  /** How long after its permit was spent a call can at most be under way. */
  permitTimeoutMs: number;
  /** How long after that Defender is asked for the first time what became of the call. */
  firstLookInMs: number;
}

/** Dispatches per round; there are hardly ever more calls in flight than the quota allows. */
const perRound = 100;

/** What a worker wrote beside a call's outcome, see `record` in dispatch-steps. */
const recordedRequests = z.union([
  z.object({
    kind: z.literal('settle'),
    settlement: z.object({
      status: z.enum(['started', 'failed', 'unknown', 'cancelled', 'expired']),
      investigationId: z.string().optional(),
      attached: z.boolean().optional(),
      error: requestError.optional(),
      attempts: z.number(),
    }),
  }),
  z.object({ kind: z.literal('give-back') }),
  z.object({
    kind: z.literal('reconcile'),
    doubt: z.object({ cause: z.enum(doubtCauses), error: requestError }),
  }),
]);

/**
 * Finishes what a worker that died in mid-call left behind: a dispatch in "sending" whose call can no longer be under
 * way. With the outcome in the ledger it is stored as it was; without one it is not known what Defender made of the
 * call, and Defender is asked. Any number of workers may do this at the same time.
 *
 * @returns how many dispatches were finished
 */
export async function recoverDispatches(options: RecoveryOptions): Promise<number> {
  const { ledger, dispatches, logger, permitTimeoutMs } = options;
  const { nowMs, isLost, holdsOn } = await ledger.look();
  // What is known of the calls may still be handed over.
  if (isLost || holdsOn.includes('failover')) return 0;
  const ids = await dispatches.sendingSince(nowMs - permitTimeoutMs, perRound);
  let finished = 0;
  for (const id of ids) {
    try {
      const dispatch = await readDispatch(id, dispatches);
      if (dispatch === undefined || dispatch === 'unreadable') {
        if (await endUnreadable(id, options)) finished += 1;
        continue;
      }
      if (dispatch.state !== 'sending' || dispatch.callId === undefined) continue;
      logger.warn({ ...aboutDispatch(dispatch), callId: dispatch.callId }, 'finished for a dead worker');
      await finishCall(id, dispatch.callId, options);
      finished += 1;
    } catch (error) {
      // One that cannot be finished must not keep the others waiting for ever.
      logger.error({ err: error, dispatchId: id }, 'could not be finished for a dead worker');
    }
  }
  return finished;
}

/** Stores what the ledger knows of a call for the dispatch that is in its hands. */
export async function finishCall(id: string, callId: string, options: RecoveryOptions): Promise<void> {
  const { ledger, dispatches, tickets, logger, firstLookInMs } = options;
  const requests = await requestsAfter(callId, ledger);
  const { moved } = await moveRequests(dispatches, { id, callId }, requests, firstLookInMs);
  logger.info({ dispatchId: id, callId, requests, moved }, 'outcome of a call stored from the ledger');
  if (!moved) return;
  if (requests.kind === 'give-back') await tickets.add(await dispatches.ranksOf([id]));
  else await tickets.remove(id);
}

async function requestsAfter(callId: string, ledger: Ledger): Promise<Consequence['requests']> {
  const call = await ledger.findCall(callId);
  const recorded = readRecorded(call?.facts?.['requests']);
  if (recorded) return recorded;
  const requests = { kind: 'reconcile' as const, doubt: abandonedCall };
  const facts = { requests: JSON.stringify(requests) };
  await ledger.recordAnswer(callId, { outcome: 'lost', facts });
  return requests;
}

/** `undefined` also for what another version wrote: then it is not known what Defender made of the call. */
function readRecorded(text: string | number | undefined): Consequence['requests'] | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    // Parsed from JSON, which has no undefined.
    return recordedRequests.safeParse(JSON.parse(text)).data as Consequence['requests'] | undefined;
  } catch {
    return undefined;
  }
}
