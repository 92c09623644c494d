import type { DispatchStore, Moved } from '@diq/queue/dispatch-store.ts';
import type { Consequence } from './consequence.ts';

/** Moves a dispatch on as its call's outcome asks: by the worker that made the call, or for one that died. */
export function moveRequests(
  dispatches: DispatchStore,
  { id, callId }: { id: string; callId: string },
  requests: Consequence['requests'],
  firstLookInMs: number,
): Promise<Moved> {
  if (requests.kind === 'settle') return dispatches.settle(id, callId, requests.settlement);
  if (requests.kind === 'give-back') return dispatches.giveBack(id, callId);
  return dispatches.reconcile(id, callId, requests.doubt, firstLookInMs);
}
