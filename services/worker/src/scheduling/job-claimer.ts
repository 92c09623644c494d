import { randomUUID } from 'node:crypto';
import { Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { jobPayload } from '@diq/queue/scheduling/job-queue.ts';
import { queueName } from '@diq/queue/store-keys.ts';
import { runScriptsWhenFull } from '@diq/redis/script.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';

/** A job claimed from the queue: held by this worker alone until it is completed or released. */
export interface ClaimedJob {
  taskId: string;
  /** False for a payload this worker does not understand: another version's, or a corrupt one. */
  isReadable: boolean;
  complete(): Promise<void>;
  /** Back to the front of its job priority; uses up no attempt. */
  release(): Promise<void>;
}

export type JobClaimer = Awaited<ReturnType<typeof createJobClaimer>>;

export interface JobClaimerOptions {
  /** Waits for Redis to come back; see `openBlockingConnection`. */
  redis: Redis;
  keySpace: string;
  /** After this long without a sign of life of the worker that claimed it, a job goes back to the queue. */
  lockMs: number;
  /** Charges the caller of the next job, or puts another one first; see `createFlowCharging`. */
  chargeFlows(): Promise<void>;
  onError(error: unknown): void;
}

/** Commands on the queue's connection wait for Redis; the claimer waits for them this long. */
const answerWithinMs = 1_000;
/** A job's lock is renewed at a third of its length. */
const renewalsPerLock = 3;

/**
 * BullMQ's worker with its own loop left out: a job is claimed only when the permit for it is in hand, so nothing
 * waits in "active", and what is claimed is what is most urgent at that moment.
 */
export async function createJobClaimer(options: JobClaimerOptions) {
  const { redis, keySpace, lockMs } = options;
  const onError = (error: unknown) => options.onError(error);
  runScriptsWhenFull(redis);
  // Asked for its version while Redis refuses commands, a worker would refuse everything for good.
  Object.assign(redis.options, { skipVersionCheck: true });
  const worker = new Worker(queueName, null, {
    connection: redis,
    prefix: keySpace,
    autorun: false,
    lockDuration: lockMs,
    stalledInterval: lockMs / 2,
    // A job is no attempt: however many workers die with it in hand, it goes back.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  });
  worker.on('error', onError);
  claimCorruptJobs(worker);
  await worker.startStalledCheckTimer();
  const renewals = new Set<NodeJS.Timeout>();

  return {
    /** The job that is next, if there is any; never waits for one. */
    async claim(): Promise<ClaimedJob | undefined> {
      await options.chargeFlows();
      const token = randomUUID();
      const job = await worker.getNextJob(token, { block: false });
      if (!job) return undefined;
      const renewal = setInterval(() => {
        job.extendLock(token, lockMs).catch(onError);
      }, lockMs / renewalsPerLock);
      renewals.add(renewal);
      const endRenewal = () => {
        clearInterval(renewal);
        renewals.delete(renewal);
      };
      return claimedJobOf(job, token, endRenewal, onError);
    },
    /** A job still in hand is renewed no more and goes back to the queue after its lock. */
    async close() {
      for (const renewal of renewals) clearInterval(renewal);
      // Its own goodbyes wait for Redis, however long; the connection is dropped next.
      await within(worker.close(), answerWithinMs).catch(onError);
    },
  };
}

function claimedJobOf(
  job: Job,
  token: string,
  endRenewal: () => void,
  onError: (error: unknown) => void,
): ClaimedJob {
  const letGo = async (act: () => Promise<unknown>) => {
    endRenewal();
    // A job whose lock was lost may be another worker's by now; the task's state says what was done. A command that
    // takes longer is not waited for: it runs when Redis is back, or the job goes back after its lock.
    await within(act(), answerWithinMs).catch(onError);
  };
  return {
    taskId: job.id ?? '',
    isReadable: jobPayload.safeParse(job.data).success,
    complete: () => letGo(() => job.moveToCompleted(undefined, token, false)),
    release: () => letGo(() => job.moveToWait(token)),
  };
}

/**
 * BullMQ parses a job's data while it claims it. Where that is no JSON it throws, when the job is claimed already
 * and no worker knows its id: it would come back after its lock for ever and never be processed.
 */
function claimCorruptJobs(worker: Worker): void {
  const original = worker['createJob'].bind(worker);
  worker['createJob'] = (raw, id) => original({ ...raw, data: isJson(raw.data) ? raw.data : 'null' }, id);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
