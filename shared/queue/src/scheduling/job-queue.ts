import { setImmediate as afterwards } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import { queueName, storeKeys } from '../store-keys.ts';
import { addAll, openBullmqQueue } from './bullmq-queue.ts';
import { createWake } from './wakes.ts';

/** What the order of the queue depends on; the rest stands in the task. */
export interface Job {
  taskId: string;
  jobPriority: number;
}

export const jobPayloadVersion = 1;

/**
 * What the queue carries from intake to worker: nothing beside the job's id, which is the task's. Machine, comment,
 * requesters and state are read from the task itself at the moment of the call, so that late joiners are served and cancelled work is not.
 * `v` rises with every change that an older worker would misread.
 */
export const jobPayload = z.strictObject({
  v: z.literal(jobPayloadVersion),
});

type JobPayload = z.output<typeof jobPayload>;

/** Jobs per transaction, some 4 ms of Redis' time: other commands get in between. */
const chunkSize = 250;

const removeScript = loadScript(new URL('../lua/remove-jobs.lua', import.meta.url));
const idsReply = z.array(z.string());

/** BullMQ's score of a job is its job priority times this, and its number among those of the same. */
const scoresPerJobPriority = 2 ** 32;

/**
 * The BullMQ queue. A job is: a task's place in the order, whose id is the task's. What is to be
 * done stands in the task, so a job that is lost is added again, and one too many finds nothing to do.
 */
export type JobQueue = ReturnType<typeof createJobQueue>;

export function createJobQueue(redis: RedisConnection, keySpace: string, onError: (error: Error) => void) {
  const { jobOrder, jobs: jobPrefix } = storeKeys(keySpace);
  /** A job, or one of BullMQ's lists. */
  const jobOf = (name: string) => `${jobPrefix}${name}`;
  let opened: Queue | undefined;
  /** Opened when it is needed first: a thousand take ten megabytes, and a worker seldom adds a job. */
  const open = () => (opened ??= openBullmqQueue(redis, { name: queueName, prefix: keySpace, onError }));
  const wake = createWake(redis, keySpace);

  async function setJobPriority(taskId: string, jobPriority: number): Promise<void> {
    const job = await open().getJob(taskId);
    // It can go between the two.
    await job?.changePriority({ priority: jobPriority }).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.includes('Missing key'))) throw error;
    });
  }

  async function removeAll(taskIds: readonly string[]): Promise<void> {
    for (let i = 0; i < taskIds.length; i += chunkSize) {
      const ids = taskIds.slice(i, i + chunkSize);
      const keys = [jobOrder, ...ids.map((id) => jobOf(id))];
      const left = idsReply.parse(await removeScript(redis, keys, ids));
      await Promise.all(left.map((id) => open().remove(id)));
    }
  }

  return {
    /** Adds jobs, many in transactions, and wakes the workers; one that is in the queue already stays as it is. */
    async add(jobs: readonly Job[]): Promise<void> {
      for (let i = 0; i < jobs.length; i += chunkSize) {
        await addAll(open(), jobs.slice(i, i + chunkSize).map(toJob));
        wake('work');
      }
    },
    /** Adds one in the same way and tells its position; `undefined` where that is to be asked for. */
    async addOne(job: Job): Promise<number | undefined> {
      const { name, data, opts } = toJob(job);
      const added = open().add(name, data, opts);
      // BullMQ's command is on its way by then, so this one comes to Redis behind it, and both are one round trip. The
      // job is what counts: should its place be missing, it can be read later.
      const place = afterwards()
        .then(() => redis.zrank(jobOrder, job.taskId))
        .catch(() => null);
      await added;
      wake('work');
      const rank = await place;
      return rank === null ? undefined : rank + 1;
    },
    /** Jobs that can be claimed now. */
    countReady: (): Promise<number> => sumOf(plainPipeline(redis).zcard(jobOrder).llen(jobOf('wait'))),
    /** Jobs in the queue, claimed ones included. */
    countAll: (): Promise<number> =>
      sumOf(
        plainPipeline(redis)
          .zcard(jobOrder)
          .llen(jobOf('wait'))
          .llen(jobOf('active'))
          .zcard(jobOf('delayed')),
      ),
    /** 1 is claimed next; `undefined` for one that is not waiting in the order. One answer per id. */
    async positions(taskIds: readonly string[]): Promise<(number | undefined)[]> {
      const pipeline = plainPipeline(redis);
      for (const id of taskIds) pipeline.zrank(jobOrder, id);
      const replies = await repliesOf(pipeline);
      return replies.map((rank) => (typeof rank === 'number' ? rank + 1 : undefined));
    },
    /** For each of these job priorities, how many jobs that wait are of this job priority or a more urgent one. */
    async countUpTo(jobPriorities: readonly number[]): Promise<number[]> {
      const pipeline = plainPipeline(redis);
      for (const jobPriority of jobPriorities)
        pipeline.zcount(jobOrder, '-inf', `(${(jobPriority + 1) * scoresPerJobPriority}`);
      return (await repliesOf(pipeline)).map(Number);
    },
    /** Which of these tasks have a job, waiting or claimed. */
    async have(taskIds: readonly string[]): Promise<boolean[]> {
      const pipeline = plainPipeline(redis);
      for (const id of taskIds) pipeline.exists(jobOf(id));
      return (await repliesOf(pipeline)).map((found) => found === 1);
    },
    /** Gives jobs another place. One that was claimed goes back to that place, one that is gone stays gone. */
    async setJobPriorities(changed: readonly Pick<Job, 'taskId' | 'jobPriority'>[]): Promise<void> {
      for (let i = 0; i < changed.length; i += chunkSize) {
        const chunk = changed.slice(i, i + chunkSize);
        await Promise.all(chunk.map(({ taskId, jobPriority }) => setJobPriority(taskId, jobPriority)));
      }
    },
    /** The task whose job is claimed next. */
    async next(): Promise<string | undefined> {
      const [first] = await redis.zrange(jobOrder, 0, '0');
      return first;
    },
    /** Those whose jobs are claimed next, at most so many. */
    nextOnes: (limit: number): Promise<string[]> => redis.zrange(jobOrder, 0, String(limit - 1)),
    /** Takes out a job that has nothing left to do. One that a worker holds stays. */
    remove: (taskId: string): Promise<void> => removeAll([taskId]),
    /** The same for some hundred at once. */
    removeAll,
    close: async (): Promise<void> => opened?.close(),
  };
}

/** What commands that count found, all in all. */
async function sumOf(pipeline: ReturnType<RedisConnection['pipeline']>): Promise<number> {
  return (await repliesOf(pipeline)).reduce<number>((sum, count) => sum + Number(count), 0);
}

function toJob({ taskId, jobPriority }: Job) {
  const data: JobPayload = { v: jobPayloadVersion };
  return { name: 'task', data, opts: { jobId: taskId, priority: jobPriority } };
}

/** A pipeline's replies; the first error of any command is thrown. */
export async function repliesOf(pipeline: ReturnType<RedisConnection['pipeline']>): Promise<unknown[]> {
  const results = await pipeline.exec();
  return (results ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

const jobPriorityReply = z.array(z.coerce.number());

/**
 * Moves the jobs of tasks that were given a better place. The task is marked as promoted until its job has
 * followed: if this process ends in between, the next request that joins does it.
 */
export function createJobRepositioning(
  redis: RedisConnection,
  keySpace: string,
  jobs: Pick<JobQueue, 'setJobPriorities'>,
) {
  const keys = storeKeys(keySpace);
  const wake = createWake(redis, keySpace);

  async function jobPrioritiesNow(promoted: readonly Job[]): Promise<Job[]> {
    const pipeline = plainPipeline(redis);
    for (const { taskId } of promoted) pipeline.hget(keys.task(taskId), 'jobPriority');
    const jobPriorities = jobPriorityReply.parse(await repliesOf(pipeline));
    return promoted.map(({ taskId }, i) => ({ taskId, jobPriority: jobPriorities[i] ?? 0 }));
  }

  return async (placed: readonly Job[]): Promise<void> => {
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
    // A slot that is kept for critical requests may be for one of them now.
    wake('work');
    const pipeline = plainPipeline(redis);
    for (const { taskId } of promoted) pipeline.hdel(keys.task(taskId), 'promoted');
    await repliesOf(pipeline);
  };
}
