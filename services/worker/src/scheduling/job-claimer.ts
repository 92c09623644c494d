import { randomUUID } from 'node:crypto';
import { Job, Queue } from 'bullmq';
import type { RedisConnection } from '@diq/redis/connection.ts';
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

export type JobClaimer = ReturnType<typeof createJobClaimer>;

export interface JobClaimerOptions {
  /** Waits for Redis to come back; see `openBlockingConnection`. Shared by all queues of a process. */
  redis: RedisConnection;
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
 * BullMQ's worker without the worker: a job is claimed only when the permit for it is in hand, so nothing waits in "active",
 * and what is claimed is what is most urgent at that moment. A `Worker` of BullMQ would open a connection of its own
 * for each queue; this claims through the backend of a `Queue`, which costs nothing while nothing is claimed.
 */
export function createJobClaimer(options: JobClaimerOptions) {
  const { lockMs } = options;
  const onError = (error: unknown) => options.onError(error);
  let opened: Queue | undefined;
  /** Opened when something is claimed first: that is most of what a queue without work would take to open. */
  const open = () => (opened ??= openClaiming(options));
  const renewals = new Set<NodeJS.Timeout>();
  let isClosed = false;

  return {
    /** The job that is next, if there is any; never waits for one. */
    async claim(): Promise<ClaimedJob | undefined> {
      await options.chargeFlows();
      if (isClosed) return undefined;
      const queue = open();
      const token = randomUUID();
      const [raw, id] = await queue.getBackend().moveToActive(token);
      if (!raw || !id) return undefined;
      const job = Job.fromJSON(queue, readable(raw as Parameters<typeof Job.fromJSON>[1]), id);
      job.token = token;
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
    /** How often `bringBack` is to be called while jobs are claimed. */
    bringBackEveryMs: lockMs / 2,
    /** Puts jobs back whose worker shows no sign of life. Any number of workers may do this at the same time. */
    async bringBack(): Promise<void> {
      await within(open().getBackend().moveStalledJobsToWait(), answerWithinMs);
    },
    /** A job still in hand is renewed no more and goes back to the queue after its lock. */
    async close() {
      isClosed = true;
      for (const renewal of renewals) clearInterval(renewal);
      // Its own goodbyes wait for Redis, however long; the connection is dropped next.
      if (opened) await within(opened.close(), answerWithinMs).catch(onError);
    },
  };
}

function openClaiming({ redis, keySpace, lockMs, onError }: JobClaimerOptions): Queue {
  runScriptsWhenFull(redis);
  const queue = new Queue(queueName, claimingOptions(redis, keySpace, lockMs));
  queue.on('error', (error) => onError(error));
  return queue;
}

/** What the backend of a queue needs to claim as that of a worker does. */
function claimingOptions(redis: RedisConnection, keySpace: string, lockMs: number) {
  return {
    connection: redis,
    prefix: keySpace,
    // Asked for its version while Redis refuses commands, a queue would refuse everything for good.
    skipVersionCheck: true,
    skipWaitingForReady: true,
    lockDuration: lockMs,
    stalledInterval: lockMs / 2,
    // A job is no attempt: however many workers die with it in hand, it goes back.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
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
 * BullMQ parses a job's data when the job is claimed already. Where that is no JSON it throws, and no worker would know the
 * job's id: it would come back after its lock for ever and never be processed.
 */
function readable<T extends { data: string }>(raw: T): T {
  try {
    JSON.parse(raw.data);
    return raw;
  } catch {
    return { ...raw, data: 'null' };
  }
}
