import type { Task, TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { shortestLimit } from '@diq/quota/limits.ts';
import { createPermitLimiter, openLimiterConnection } from '@diq/quota/limiter/permit-limiter.ts';
import type { Ledger } from '@diq/quota/ledger/ledger.ts';
import type { createTaskSteps } from '../execution/task-steps.ts';
import { listenForWakes } from '../scheduling/wake-listener.ts';
import { startPollLoop, type PollLoop } from './loop-world.ts';
import type { TestMetrics } from './test-metrics.ts';
import type { Reconciler } from '../reconciliation/reconciler.ts';
import { rescueAbandonedCalls } from '../maintenance/rescue-abandoned-calls.ts';
import type { createProcessJob } from '../execution/process-job.ts';
import { createMissingJobCheck } from '../maintenance/requeue-missing-jobs.ts';
import type { ClaimedJob, JobClaimer } from '../scheduling/job-claimer.ts';
import {
  openTestWorkerParts,
  type TestWorkerOptions,
  type TestWorkerParts,
  type WorkerPlace,
} from './test-worker-parts.ts';

/** What became of a permit that was handed to a job. */
export type PermitFate = 'kept' | 'released';

/** Everything of one worker but its loop: on real connections of its own, with the real parts. */
export interface TestWorker {
  readonly ledger: Ledger;
  readonly tasks: TaskStore;
  readonly jobs: JobQueue;
  readonly claimer: JobClaimer;
  readonly steps: ReturnType<typeof createTaskSteps>;
  readonly metrics: TestMetrics;
  readonly logLines: string[];
  /** What limiter and queue reported. */
  readonly errors: unknown[];
  readonly abandonCalls: AbortController;
  serve(job: ClaimedJob): Promise<PermitFate>;
  /** The times from which permits were said to count. */
  readonly countedFromMs: number[];
  /** Claims the job that is next and sees it through. */
  serveNext(): Promise<PermitFate>;
  find(taskId: string): Promise<Task>;
  recover(): Promise<number>;
  readonly reconciler: Reconciler;
  /** One look for missing jobs. */
  requeueMissingJobs(): Promise<unknown>;
  used(): Promise<number>;
  /** The hold that is on, and how long it still lasts. */
  hold(): Promise<{ reason: string; leftMs: number } | undefined>;
  /** Lets it claim by itself, with the real limiter. */
  startLoop(): Promise<PollLoop>;
  /** Ends it wherever it stands. Jobs in its hands stay there, as when a process dies. */
  close(): Promise<void>;
}

export async function openTestWorker(options: TestWorkerOptions & WorkerPlace): Promise<TestWorker> {
  const parts = await openTestWorkerParts(options);
  const { ledger, tasks, jobs, claimer, logger } = parts;
  const closeLoops: (() => Promise<void>)[] = [];
  const countedFromMs: number[] = [];
  let closing: Promise<void> | undefined;
  async function closeAll() {
    parts.abandonCalls.abort();
    await Promise.all(closeLoops.map((closeLoop) => closeLoop()));
    await parts.close();
  }

  return {
    ...parts,
    countedFromMs,
    serve: (job) => serveOnce(job, parts.processJob, countedFromMs),
    async serveNext() {
      const job = await claimer.claim();
      if (!job) throw new Error('no job to be claimed');
      return serveOnce(job, parts.processJob, countedFromMs);
    },
    async find(taskId) {
      const task = await tasks.find(taskId);
      if (!task) throw new Error(`no task ${taskId}`);
      return task;
    },
    recover: () => rescueAbandonedCalls(parts),
    requeueMissingJobs: createMissingJobCheck({ tasks, jobs, logger, settleMs: 0 }),
    used: async () => (await ledger.snapshot()).slotsInUse.length,
    async hold() {
      const { hold, nowMs } = await ledger.snapshot();
      return hold && { reason: hold.reason, leftMs: hold.untilMs - nowMs };
    },
    async startLoop() {
      const { loop, close } = await openLoop(parts);
      closeLoops.push(close);
      return loop;
    },
    close: () => (closing ??= closeAll()),
  };
}

async function openLoop(parts: TestWorkerParts) {
  const { ledger, jobs, claimer, keySpace, quota, onError } = parts;
  const connection = openLimiterConnection(parts.redis.limiter, onError);
  const limiter = await createPermitLimiter({ ...quota, connection, keySpace, onError });
  const loop = startPollLoop({
    snapshot: () => ledger.snapshot(),
    countReady: () => jobs.countReady(),
    tryAcquire: () => limiter.tryAcquire(),
    claim: () => claimer.claim(),
    serve: parts.processJob,
    maxInFlight: shortestLimit(quota.limits).calls,
    onError,
  });
  listenForWakes(parts.redis.wakes, {
    onWake: (woken) => void (woken === keySpace && loop.wake()),
    onLinkAsked: () => undefined,
    onReadAsked: () => undefined,
    onGap: () => loop.wake(),
    onError,
  });
  return {
    loop,
    async close() {
      await loop.stop();
      limiter.close();
      await connection.close();
    },
  };
}

/** With a permit that only records what was done to it. */
async function serveOnce(
  job: ClaimedJob,
  processJob: ReturnType<typeof createProcessJob>,
  countedFromMs: number[],
): Promise<PermitFate> {
  const fates: PermitFate[] = [];
  await processJob(job, {
    spent: () => undefined,
    counted: (fromMs) => void countedFromMs.push(fromMs),
    keepForOneWindow: () => fates.push('kept'),
    release: () => fates.push('released'),
  });
  const [fate] = fates;
  if (fate === undefined || fates.length > 1) throw new Error(`the permit was ${fates.join(', ') || 'lost'}`);
  return fate;
}
