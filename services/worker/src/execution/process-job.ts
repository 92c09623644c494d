import { setTimeout as wait } from 'node:timers/promises';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { Permit } from '@diq/quota/limiter/permit-limiter.ts';
import { readTask, unreadable } from './dead-letter.ts';
import { executeTask, type TaskSteps, type JobFate } from './execute-task.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import type { ClaimedJob } from '../scheduling/job-claimer.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { Ledger } from '@diq/quota/ledger/ledger.ts';

export interface ProcessJobOptions {
  tasks: TaskStore;
  steps: TaskSteps;
  aside: SetAside;
  logger: Logger;
}

const afterErrorMs = 500;

/**
 * Processes one claimed job. It never fails a job: after an error on our side (Redis away, a bug) the job is released,
 * and the task's state says how far it came.
 */
export function createProcessJob(options: ProcessJobOptions) {
  const outages = createOutageLog(options.logger, 'serving a task');
  return async (job: ClaimedJob, permit: Permit): Promise<void> => {
    const onlyOnce = releaseOnce(permit);
    try {
      const fate = await serve(job, onlyOnce, options);
      // Before the release, so that no worker claims it at once; and again after it, behind tasks moved there earlier.
      if (fate === 'aside') await arrangeAside(fate, job.taskId, options);
      await (fate === 'done' ? job.complete() : job.release());
      await arrangeAside(fate, job.taskId, options);
      outages.worked();
    } catch (error) {
      // An outage meets every job that is claimed in it.
      if (isRedisTrouble(error)) outages.failed(error);
      else options.logger.error({ err: error, taskId: job.taskId }, 'task failed unexpectedly, job released');
      onlyOnce.release();
      // Released at once, it would be claimed again at once, ahead of all jobs behind it.
      await wait(afterErrorMs, undefined, { ref: false });
      await job.release();
    } finally {
      onlyOnce.release();
    }
  };
}

/** What fails here is repeated by maintenance. */
async function arrangeAside(
  fate: JobFate,
  taskId: string,
  { aside, logger }: ProcessJobOptions,
): Promise<void> {
  try {
    await (fate === 'aside' ? aside.put(taskId) : aside.takeBack());
  } catch (error) {
    logger.warn({ err: error, taskId }, 'refused task not repositioned, will be retried');
  }
}

async function serve(job: ClaimedJob, permit: Permit, options: ProcessJobOptions): Promise<JobFate> {
  const task = await readTask(job.taskId, options.tasks);
  if (task !== undefined && task !== 'unreadable' && job.isReadable) {
    return executeTask(task, permit, options.steps, Date.now());
  }
  // Released, it would be claimed again at once, ahead of all jobs behind it.
  await failUnreadable(job.taskId, options);
  return 'done';
}

/**
 * A task that another version wrote may mean something else: it is failed visibly and blocks no other task. So is a task
 * that is gone while the queue still counts it.
 */
async function failUnreadable(taskId: string, { tasks, steps, logger }: ProcessJobOptions): Promise<void> {
  const callId = steps.newCallId();
  const { moved } = await tasks.begin(taskId, callId);
  if (!moved) return;
  await tasks.settle(taskId, callId, { status: 'failed', error: unreadable, attempts: 0 });
  logger.error({ taskId }, 'job or request unreadable, task failed');
}

/** A permit that follows the first of `release` and `keepForOneWindow` and ignores the others. */
function releaseOnce(permit: Permit): Permit {
  let isOver = false;
  const once = (act: () => void) => () => {
    if (isOver) return;
    isOver = true;
    act();
  };
  return {
    spent: () => permit.spent(),
    counted: (fromMs) => permit.counted(fromMs),
    release: once(() => permit.release()),
    keepForOneWindow: once(() => permit.keepForOneWindow()),
  };
}

export type SetAside = ReturnType<typeof createSetAside>;

/** BullMQ's last. */
const lastJobPriority = 2_097_151;

/** Moves jobs of refused calls behind all others, to see whether those are refused too. */
export function createSetAside({
  ledger,
  tasks,
  jobs,
}: {
  ledger: Pick<Ledger, 'asideOver' | 'isAside' | 'forgetAside'>;
  tasks: Pick<TaskStore, 'jobPrioritiesOf'>;
  jobs: Pick<JobQueue, 'setJobPriorities'>;
}) {
  // Their own places are stored with the tasks, which nothing here changes.
  const restore = async (ids: readonly string[]) => jobs.setJobPriorities(await tasks.jobPrioritiesOf(ids));

  return {
    /** Moves a job behind all others, in order of arrival there. The ledger's record of it is written before. */
    async put(taskId: string) {
      await jobs.setJobPriorities([{ taskId, jobPriority: lastJobPriority }]);
      // Another call may have been answered well between the record and this.
      if (!(await ledger.isAside(taskId))) await restore([taskId]);
    },
    /** Moves jobs back to their places after enough others were answered well. Safe to repeat, by any worker. */
    async takeBack() {
      const ids = await ledger.asideOver();
      if (ids.length === 0) return;
      await restore(ids);
      await ledger.forgetAside(ids);
    },
  };
}
