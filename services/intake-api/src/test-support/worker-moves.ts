import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Settlement } from '@diq/queue/dispatch-store.ts';
import type { IntakeUnderTest } from './intake-under-test.ts';

/** The dispatch that waits for this machine. */
export async function dispatchFor(intake: IntakeUnderTest, machineId: string): Promise<string> {
  const waiting = await intake.dispatches.waitingPage(0, 1_000);
  const found = (await intake.dispatches.ranksOf(waiting)).find(
    (dispatch) => dispatch.machineId === machineId,
  );
  assert.ok(found, `no dispatch waits for ${machineId}`);
  return found.dispatchId;
}

/** A call in a worker's hands. */
export interface Call {
  dispatchId: string;
  callId: string;
}

/** What a worker does first: a permit is spent, the ticket taken out and the dispatch begun. */
export async function beginCall(intake: IntakeUnderTest, machineId: string): Promise<Call> {
  const call = { dispatchId: await dispatchFor(intake, machineId), callId: randomUUID() };
  const spent = await intake.ledger.spend({ ...call, machineId });
  assert.equal(spent.kind, 'granted');
  await intake.tickets.remove(call.dispatchId);
  assert.deepEqual(await intake.dispatches.begin(call.dispatchId, call.callId), { moved: true });
  return call;
}

/** And last: the outcome is recorded. */
export async function endCall(intake: IntakeUnderTest, call: Call, settlement: Settlement): Promise<void> {
  await intake.ledger.recordAnswer(call.callId, { outcome: settlement.status, facts: {} });
  const moved = await intake.dispatches.settle(call.dispatchId, call.callId, settlement);
  assert.deepEqual(moved, { moved: true });
}

/** Instead of the end: the answer was lost, and Defender is asked what became of the call. */
export async function loseAnswer(intake: IntakeUnderTest, { callId, dispatchId }: Call): Promise<void> {
  const error = { code: 'call_timeout', message: 'The answer was lost; Defender is being asked.' } as const;
  await intake.ledger.recordAnswer(callId, { outcome: 'timeout', facts: {} });
  const moved = await intake.dispatches.reconcile(dispatchId, callId, { cause: 'lost', error }, 60_000);
  assert.deepEqual(moved, { moved: true });
}

/** One call from beginning to end. */
export async function makeCall(
  intake: IntakeUnderTest,
  machineId: string,
  settlement: Settlement,
): Promise<void> {
  await endCall(intake, await beginCall(intake, machineId), settlement);
}
