import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Settlement } from '@diq/queue/tasks/task-store.ts';
import type { IntakeUnderTest } from './intake-under-test.ts';

/** The task that waits for this machine. */
export async function taskFor(intake: IntakeUnderTest, machineId: string): Promise<string> {
  const waiting = await intake.tasks.waitingPage(0, 1_000);
  const found = (await intake.tasks.jobPrioritiesOf(waiting)).find((task) => task.machineId === machineId);
  assert.ok(found, `no task waits for ${machineId}`);
  return found.taskId;
}

/** A call in a worker's hands. */
export interface Call {
  taskId: string;
  callId: string;
}

/** What a worker does first: a permit is spent, the job taken out and the task begun. */
export async function beginCall(intake: IntakeUnderTest, machineId: string): Promise<Call> {
  const call = { taskId: await taskFor(intake, machineId), callId: randomUUID() };
  const spent = await intake.ledger.spend({ ...call, machineId });
  assert.equal(spent.kind, 'granted');
  await intake.jobs.remove(call.taskId);
  assert.deepEqual(await intake.tasks.begin(call.taskId, call.callId), { moved: true });
  return call;
}

/** And last: the outcome is recorded. */
export async function endCall(intake: IntakeUnderTest, call: Call, settlement: Settlement): Promise<void> {
  await intake.ledger.recordAnswer(call.callId, { outcome: settlement.status, facts: {} });
  const moved = await intake.tasks.settle(call.taskId, call.callId, settlement);
  assert.deepEqual(moved, { moved: true });
}

/** Instead of the end: the answer was lost, and Defender is asked what became of the call. */
export async function loseAnswer(intake: IntakeUnderTest, { callId, taskId }: Call): Promise<void> {
  const error = { code: 'call_timeout', message: 'The answer was lost; Defender is being asked.' } as const;
  await intake.ledger.recordAnswer(callId, { outcome: 'timeout', facts: {} });
  const moved = await intake.tasks.reconcile(taskId, callId, { cause: 'lost', error }, 60_000);
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
