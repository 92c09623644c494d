import type { TaskStore, Moved } from '@diq/queue/tasks/task-store.ts';
import type { OutcomePolicy } from './outcome-policy.ts';

/** Moves a task on as its call's outcome asks: by the worker that made the call, or for one that died. */
export function moveRequests(
  tasks: TaskStore,
  { id, callId }: { id: string; callId: string },
  requests: OutcomePolicy['requests'],
  firstQueryInMs: number,
): Promise<Moved> {
  if (requests.kind === 'settle') return tasks.settle(id, callId, requests.settlement);
  if (requests.kind === 'give-back') return tasks.giveBack(id, callId);
  return tasks.reconcile(id, callId, requests.unresolved, firstQueryInMs);
}
