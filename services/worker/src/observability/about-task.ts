import { traceIdOf } from '@diq/contracts/trace-context.ts';
import type { Task } from '@diq/queue/tasks/task-store.ts';

/** What every line about a task tells of it. */
export function aboutTask({ id, machineId, trace }: Pick<Task, 'id' | 'machineId' | 'trace'>) {
  return { taskId: id, machineId, ...(trace ? { traceId: traceIdOf(trace) } : {}) };
}
