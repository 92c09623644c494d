import type { RequestStatus } from '@diq/contracts/status.ts';

/**
 * The states of a task. It waits for its call, its call is in flight, what became of it is looked up in Defender, or it
 * is over. The requests that it serves move with it.
 */
export const taskStates = ['waiting', 'in_flight', 'reconciling', 'settled'] as const;

export type TaskState = (typeof taskStates)[number];

export interface TaskMove {
  from: readonly TaskState[];
  to: TaskState;
  /** The status that its open requests get; of one that is settled the status that its outcome has. */
  requests?: RequestStatus;
}

/** Every move of a task. `lua/move-task.lua` makes it, and refuses it to any call but the one that has the task. */
export const taskMoves = {
  begin: { from: ['waiting'], to: 'in_flight', requests: 'dispatching' },
  giveBack: { from: ['in_flight', 'reconciling'], to: 'waiting', requests: 'queued' },
  reconcile: { from: ['in_flight'], to: 'reconciling', requests: 'dispatching' },
  settle: { from: ['in_flight', 'reconciling'], to: 'settled' },
  endWaiting: { from: ['waiting'], to: 'settled' },
} as const satisfies Record<string, TaskMove>;
