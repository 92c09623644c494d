import { setImmediate as afterwards } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { jobPayloadVersion } from '@diq/contracts/job-payload.ts';
import type { JobPayload } from '@diq/contracts/job-payload.ts';
import { loadScript, runScriptsWhenFull } from '@diq/redis/script.ts';
import { queueName } from '../store-keys.ts';

/** What the order of the queue depends on; the rest stands in the task. */
export interface Job {
  taskId: string;
  jobPriority: number;
}

/**
 * The BullMQ queue. A job is: a task's place in the order, whose id is the task's. What is to be
 * done stands in the task, so a job that is lost is added again, and one too many finds nothing to do.
 */
export interface JobQueue {
  /** Adds jobs, many in transactions; one that is in the queue already stays as it is. */
  add(jobs: readonly Job[]): Promise<void>;
  /** Adds one in the same way and tells its position; `undefined` where that is to be asked for. */
  addOne(job: Job): Promise<number | undefined>;
  /** Jobs that can be claimed now. */
  countReady(): Promise<number>;
  /** Jobs in the queue, claimed ones included. */
  countAll(): Promise<number>;
  /** 1 is claimed next; `undefined` for one that is not waiting in the order. One answer per id. */
  positions(taskIds: readonly string[]): Promise<(number | undefined)[]>;
  /** For each of these job priorities, how many jobs that wait are of this job priority or a more urgent one. */
  countUpTo(jobPriorities: readonly number[]): Promise<number[]>;
  /** Which of these tasks have a job, waiting or claimed. */
  have(taskIds: readonly string[]): Promise<boolean[]>;
  /** Gives jobs another place. One that was claimed goes back to that place, one that is gone stays gone. */
  setJobPriorities(jobs: readonly Pick<Job, 'taskId' | 'jobPriority'>[]): Promise<void>;
  /** The task whose job is claimed next. */
  next(): Promise<string | undefined>;
  /** Those whose jobs are claimed next, at most so many. */
  nextOnes(limit: number): Promise<string[]>;
  /** Takes out a job that has nothing left to do. One that a worker holds stays. */
  remove(taskId: string): Promise<void>;
  /** The same for some hundred at once. */
  removeAll(taskIds: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Jobs per transaction, some 4 ms of Redis' time: other commands get in between. */
const chunkSize = 250;

const removeScript = loadScript(new URL('../lua/remove-jobs.lua', import.meta.url));
const idsReply = z.array(z.string());

/** BullMQ's score of a job is its job priority times this, and its number among those of the same. */
const scoresPerJobPriority = 2 ** 32;

export function createJobQueue(redis: Redis, keySpace: string, onError: (error: Error) => void): JobQueue {
  // BullMQ asks the server for its version when a queue is made; if that fails, the queue refuses everything for good.
  Object.assign(redis.options, { skipVersionCheck: true });
  runScriptsWhenFull(redis);
  const queue = new Queue<JobPayload>(queueName, {
    connection: redis,
    prefix: keySpace,
    skipWaitingForReady: true,
    streams: { events: { maxLen: 1_000 } },
  });
  queue.on('error', onError);
  const prioritizedKey = queue.toKey('prioritized');
  const adding = addInTransactions(queue);
  // The caller of `add` gets the error.
  adding.catch(() => {});

  async function setJobPriority(taskId: string, jobPriority: number): Promise<void> {
    const job = await queue.getJob(taskId);
    // It can go between the two.
    await job?.changePriority({ priority: jobPriority }).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.includes('Missing key'))) throw error;
    });
  }

  return {
    async add(jobs) {
      await adding;
      for (let i = 0; i < jobs.length; i += chunkSize) {
        await queue.addBulk(jobs.slice(i, i + chunkSize).map(toJob));
      }
    },
    async addOne(job) {
      const { name, data, opts } = toJob(job);
      const added = queue.add(name, data, opts);
      // BullMQ's command is on its way by then, so this one comes to Redis behind it, and both are one round trip. The
      // job is what counts: should its place be missing, it can be read later.
      const place = afterwards()
        .then(() => redis.zrank(prioritizedKey, job.taskId))
        .catch(() => null);
      await added;
      const rank = await place;
      return rank === null ? undefined : rank + 1;
    },
    async countReady() {
      const counts = await queue.getJobCounts('prioritized', 'waiting');
      return (counts['prioritized'] ?? 0) + (counts['waiting'] ?? 0);
    },
    async countAll() {
      const counts = await queue.getJobCounts('prioritized', 'waiting', 'active', 'delayed');
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    async positions(taskIds) {
      const pipeline = redis.pipeline();
      for (const id of taskIds) pipeline.zrank(prioritizedKey, id);
      const replies = await repliesOf(pipeline);
      return replies.map((rank) => (typeof rank === 'number' ? rank + 1 : undefined));
    },
    async countUpTo(jobPriorities) {
      const pipeline = redis.pipeline();
      for (const jobPriority of jobPriorities)
        pipeline.zcount(prioritizedKey, '-inf', `(${(jobPriority + 1) * scoresPerJobPriority}`);
      return (await repliesOf(pipeline)).map(Number);
    },
    async have(taskIds) {
      const pipeline = redis.pipeline();
      for (const id of taskIds) pipeline.exists(queue.toKey(id));
      return (await repliesOf(pipeline)).map((found) => found === 1);
    },
    async setJobPriorities(changed) {
      for (let i = 0; i < changed.length; i += chunkSize) {
        const chunk = changed.slice(i, i + chunkSize);
        await Promise.all(chunk.map(({ taskId, jobPriority }) => setJobPriority(taskId, jobPriority)));
      }
    },
    async next() {
      const [first] = await redis.zrange(prioritizedKey, 0, '0');
      return first;
    },
    nextOnes: (limit) => redis.zrange(prioritizedKey, 0, String(limit - 1)),
    async remove(taskId) {
      await queue.remove(taskId);
    },
    async removeAll(taskIds) {
      for (let i = 0; i < taskIds.length; i += chunkSize) {
        const ids = taskIds.slice(i, i + chunkSize);
        const keys = [prioritizedKey, ...ids.map((id) => queue.toKey(id))];
        const left = idsReply.parse(await removeScript(redis, keys, ids));
        await Promise.all(left.map((id) => queue.remove(id)));
      }
    },
    close: () => queue.close(),
  };
}

/**
 * BullMQ adds jobs in a pipeline. In a transaction Redis writes them to its file once and not with every dozen that it
 * reads, which takes a quarter of the time off; and a chunk is added whole or not at all.
 */
async function addInTransactions(queue: Queue<JobPayload>): Promise<void> {
  const backend = queue.getBackend();
  if (!('client' in backend)) return;
  const client = (await backend.client) as { pipeline(): unknown; multi(): unknown };
  client.pipeline = () => client.multi();
}

function toJob({ taskId, jobPriority }: Job) {
  const data: JobPayload = { v: jobPayloadVersion };
  return { name: 'task', data, opts: { jobId: taskId, priority: jobPriority } };
}

/** A pipeline's replies; the first error of any command is thrown. */
export async function repliesOf(pipeline: ReturnType<Redis['pipeline']>): Promise<unknown[]> {
  const results = await pipeline.exec();
  return (results ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}
