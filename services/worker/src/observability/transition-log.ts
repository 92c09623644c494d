import { traceIdOf } from '@diq/contracts/trace-context.ts';
import type { MovedRequests, Task } from '@diq/queue/tasks/task-store.ts';
import type { RequestLog } from '@diq/queue/requests/transition-log.ts';

export type MoveLog = ReturnType<typeof createMoveLog>;

/** Calls that ended and have not moved their requests yet; there are hardly ever more than the quota allows. */
const mostOutcomes = 1_000;

/** The log of requests: adds the outcome of a call to the lines of the requests that it moves. */
export function createMoveLog(log: Pick<RequestLog, 'moved'>) {
  const outcomes = new Map<string, string>();

  return {
    callEnded(callId: string, outcome: string) {
      outcomes.set(callId, outcome);
      const [oldest] = outcomes.keys();
      if (outcomes.size > mostOutcomes && oldest !== undefined) outcomes.delete(oldest);
    },
    moved(move: MovedRequests) {
      const outcome = outcomes.get(move.callId ?? '');
      outcomes.delete(move.callId ?? '');
      log.moved(outcome === undefined ? move : { ...move, outcome });
    },
  };
}

/** The fields of a task in every log line about it. */
export function aboutTask({ id, machineId, trace }: Pick<Task, 'id' | 'machineId' | 'trace'>) {
  return { taskId: id, machineId, ...(trace ? { traceId: traceIdOf(trace) } : {}) };
}
