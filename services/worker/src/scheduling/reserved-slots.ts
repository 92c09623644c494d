import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { PollTurnsOptions } from './poll-turns.ts';

/** How many of the next jobs are searched for a critical one. Critical jobs are at the head, except as described below. */
const lookedAt = 250;
/** Ahead of all others, see `lua/move-to-head.lua`. */
const firstJobPriority = 1;

/**
 * The slots that are kept for critical requests, and how the poll loop decides which request may use one. Another request can be
 * ahead of a critical one: moved to the head by an operator, or in a class whose head start is hardly shorter. It may not
 * use the slot, so the critical one is moved ahead of it.
 */
export function criticalReserve(
  { reserveForCritical }: { reserveForCritical: number },
  {
    jobs,
    tasks,
  }: {
    jobs: Pick<JobQueue, 'next' | 'nextOnes' | 'setJobPriorities'>;
    tasks: Pick<TaskStore, 'classOf' | 'firstOf'>;
  },
): Required<Pick<PollTurnsOptions, 'reserveForCritical' | 'isCriticalNext' | 'isCritical'>> {
  const isCritical = async (taskId: string) => (await tasks.classOf(taskId)) === 'critical';
  return {
    reserveForCritical,
    async isCriticalNext() {
      const next = await jobs.next();
      if (next === undefined) return false;
      if (await isCritical(next)) return true;
      const taskId = await tasks.firstOf('critical', () => jobs.nextOnes(lookedAt));
      if (taskId === undefined) return false;
      await jobs.setJobPriorities([{ taskId, jobPriority: firstJobPriority }]);
      return (await jobs.next()) === taskId;
    },
    isCritical: ({ taskId }) => isCritical(taskId),
  };
}
