import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { Permit } from '@diq/quota/limiter/permit-limiter.ts';
import { readTask, unreadable } from './dead-letter.ts';
import { executeTask } from './execute-task.ts';
import type { TaskSteps, JobFate } from './execute-task.ts';
import type { SetAside } from './defer-refused-task.ts';
import type { ClaimedJob } from '../scheduling/job-claimer.ts';

export interface ProcessJobOptions {
  tasks: TaskStore;
  steps: TaskSteps;
  aside: SetAside;
  logger: Logger;
}

const afterErrorMs = 500;

/**
 * Sees one claimed job through. It never fails a job: what goes wrong on our side (Redis away, a fault of ours)
 * puts it back, and the task says where it stands.
 */
export function createProcessJob(options: ProcessJobOptions) {
  return async (job: ClaimedJob, permit: Permit): Promise<void> => {
    const onlyOnce = releaseOnce(permit);
    try {
      const fate = await serve(job, onlyOnce, options);
      // Before it is put back, so that nobody claims it at once; and once more after, behind those that came there before.
      if (fate === 'aside') await arrangeAside(fate, job.taskId, options);
      await (fate === 'done' ? job.complete() : job.release());
      await arrangeAside(fate, job.taskId, options);
    } catch (error) {
      options.logger.error({ err: error, taskId: job.taskId }, 'task not seen through, put back');
      onlyOnce.release();
      // Put back at once it would be claimed again at once, ahead of everybody behind it.
      await wait(afterErrorMs, undefined, { ref: false });
      await job.release();
    } finally {
      onlyOnce.release();
    }
  };
}

/** What is left undone here the housekeeping does. */
async function arrangeAside(
  fate: JobFate,
  taskId: string,
  { aside, logger }: ProcessJobOptions,
): Promise<void> {
  try {
    await (fate === 'aside' ? aside.put(taskId) : aside.takeBack());
  } catch (error) {
    logger.warn({ err: error, taskId }, 'refused calls not put in their places for now');
  }
}

async function serve(job: ClaimedJob, permit: Permit, options: ProcessJobOptions): Promise<JobFate> {
  const task = await readTask(job.taskId, options.tasks);
  if (task !== undefined && task !== 'unreadable' && job.isReadable) {
    return executeTask(task, permit, options.steps, Date.now());
  }
  // Put back, it would be claimed again at once, before everybody behind it.
  await failUnreadable(job.taskId, options);
  return 'done';
}

/**
 * What another version wrote may mean something else than it seems to: it is failed visibly, and blocks nobody. So is what
 * is gone, where the queue still counts it.
 */
async function failUnreadable(taskId: string, { tasks, steps, logger }: ProcessJobOptions): Promise<void> {
  const callId = steps.newCallId();
  const { moved } = await tasks.begin(taskId, callId);
  if (!moved) return;
  await tasks.settle(taskId, callId, { status: 'failed', error: unreadable, attempts: 0 });
  logger.error({ taskId }, 'job or request unreadable, task failed');
}

/** A permit that takes the first word for it and ignores the others. */
function releaseOnce(permit: Permit): Permit {
  let isOver = false;
  const once = (act: () => void) => () => {
    if (isOver) return;
    isOver = true;
    act();
  };
  return {
    spent: () => permit.spent(),
    release: once(() => permit.release()),
    keepForOneWindow: once(() => permit.keepForOneWindow()),
  };
}
