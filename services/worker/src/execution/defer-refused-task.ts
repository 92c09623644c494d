import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { Ledger } from '@diq/quota/ledger/ledger.ts';

export interface SetAsideOptions {
  ledger: Pick<Ledger, 'asideOver' | 'isAside' | 'forgetAside'>;
  tasks: Pick<TaskStore, 'ranksOf'>;
  jobs: Pick<JobQueue, 'setRanks'>;
}

/** Moves jobs of refused calls behind all others, to see whether those are refused too. */
export interface SetAside {
  /** Moves a job behind all others, in order of arrival there. The ledger's record of it is written before. */
  put(taskId: string): Promise<void>;
  /** Moves jobs back to their places after enough others were answered well. Safe to repeat, by any worker. */
  takeBack(): Promise<void>;
}

/** BullMQ's last. */
const lastRank = 2_097_151;

export function createSetAside({ ledger, tasks, jobs }: SetAsideOptions): SetAside {
  // Their own places are stored with the tasks, which nothing here changes.
  const restore = async (ids: readonly string[]) => jobs.setRanks(await tasks.ranksOf(ids));

  return {
    async put(taskId) {
      await jobs.setRanks([{ taskId, rank: lastRank }]);
      // Another call may have been answered well between the record and this.
      if (!(await ledger.isAside(taskId))) await restore([taskId]);
    },
    async takeBack() {
      const ids = await ledger.asideOver();
      if (ids.length === 0) return;
      await restore(ids);
      await ledger.forgetAside(ids);
    },
  };
}
