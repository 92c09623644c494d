import type { Redis } from 'ioredis';
import { z } from 'zod';
import { storeKeys } from '../store-keys.ts';
import { repliesOf } from './job-queue.ts';
import type { JobQueue } from './job-queue.ts';

interface Promoted {
  taskId: string;
  jobPriority: number;
}

const jobPriorityReply = z.array(z.coerce.number());

/**
 * Moves the jobs of tasks that were given a better place. The task is marked as promoted until its job has
 * followed: if this process ends in between, the next request that joins does it.
 */
export function createJobRepositioning(
  redis: Redis,
  keySpace: string,
  jobs: Pick<JobQueue, 'setJobPriorities'>,
) {
  const keys = storeKeys(keySpace);

  async function jobPrioritiesNow(promoted: readonly Promoted[]): Promise<Promoted[]> {
    const pipeline = redis.pipeline();
    for (const { taskId } of promoted) pipeline.hget(keys.task(taskId), 'jobPriority');
    const jobPriorities = jobPriorityReply.parse(await repliesOf(pipeline));
    return promoted.map(({ taskId }, i) => ({ taskId, jobPriority: jobPriorities[i] ?? 0 }));
  }

  return async (placed: readonly Promoted[]): Promise<void> => {
    const promoted = [...new Map(placed.map((one) => [one.taskId, one])).values()];
    // Another process may promote the same task further at this moment, and set its job before us.
    for (let behind = promoted; behind.length > 0;) {
      await jobs.setJobPriorities(behind);
      const present = await jobPrioritiesNow(behind);
      behind = present.filter(
        ({ jobPriority }, i) => jobPriority > 0 && jobPriority !== behind[i]?.jobPriority,
      );
    }
    if (promoted.length === 0) return;
    const pipeline = redis.pipeline();
    for (const { taskId } of promoted) pipeline.hdel(keys.task(taskId), 'promoted');
    await repliesOf(pipeline);
  };
}
