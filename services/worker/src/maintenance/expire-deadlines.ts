import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';

export interface ExpireDueOptions {
  tasks: Pick<TaskStore, 'expireDue'>;
  jobs: Pick<JobQueue, 'removeAll'>;
  logger: Pick<Logger, 'info'>;
}

/**
 * Ends every queued request whose own deadline was reached, in bounded steps. A job that is not taken out, because
 * this process ends in between or another worker holds it, finds nothing to do.
 *
 * @returns how many requests expired
 */
export async function expireDue({ tasks, jobs, logger }: ExpireDueOptions): Promise<number> {
  let expired = 0;
  for (;;) {
    const { requestIds, ended } = await tasks.expireDue();
    await jobs.removeAll(ended);
    if (requestIds.length === 0) return expired;
    logger.info({ requests: requestIds.length, tasks: ended.length }, 'expired while waiting');
    expired += requestIds.length;
  }
}
