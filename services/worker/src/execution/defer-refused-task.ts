import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { Ledger } from '@diq/quota/ledger/ledger.ts';

export interface SetAsideOptions {
  ledger: Pick<Ledger, 'asideOver' | 'isAside' | 'forgetAside'>;
  tasks: Pick<TaskStore, 'ranksOf'>;
  jobs: Pick<JobQueue, 'setRanks'>;
}

/** Jobs of refused calls that stand behind all others, so that it shows whether those are refused too. */
export interface SetAside {
  /** Behind all others, in the order in which they came there. The ledger's record of it goes before. */
  put(taskId: string): Promise<void>;
  /** Back to their places: those for which enough others were answered well. Safe to repeat, by anybody. */
  takeBack(): Promise<void>;
}

/** BullMQ's last. */
const lastRank = 2_097_151;

export function createSetAside({ ledger, tasks, jobs }: SetAsideOptions): SetAside {
  // Their own places stand with the tasks, which nothing here changes.
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
