import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { PollLoopOptions } from './poll-loop.ts';

/** Among so many that are next a critical one is looked for. They stand at the head of the order, but for what is below. */
const lookedAt = 250;
/** In front of everybody, see `lua/move-to-head.lua`. */
const firstRank = 1;

/**
 * The slots that are kept for critical requests, and how the claim loop tells who may have one. Somebody else can stand in
 * front of a critical request: moved to the head by an operator, or in a class whose head start is hardly shorter. Such a
 * one may not have the slot, so the critical one is put before it.
 */
export function criticalReserve(
  { reserveForCritical }: { reserveForCritical: number },
  {
    jobs,
    tasks,
  }: {
    jobs: Pick<JobQueue, 'next' | 'nextOnes' | 'setRanks'>;
    tasks: Pick<TaskStore, 'classOf' | 'firstOf'>;
  },
): Required<Pick<PollLoopOptions, 'reserveForCritical' | 'isCriticalNext' | 'isCritical'>> {
  const isCritical = async (taskId: string) => (await tasks.classOf(taskId)) === 'critical';
  return {
    reserveForCritical,
    async isCriticalNext() {
      const next = await jobs.next();
      if (next === undefined) return false;
      if (await isCritical(next)) return true;
      const taskId = await tasks.firstOf('critical', () => jobs.nextOnes(lookedAt));
      if (taskId === undefined) return false;
      await jobs.setRanks([{ taskId, rank: firstRank }]);
      return (await jobs.next()) === taskId;
    },
    isCritical: ({ taskId }) => isCritical(taskId),
  };
}
