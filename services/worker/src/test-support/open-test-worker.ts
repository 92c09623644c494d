import { randomUUID } from 'node:crypto';
import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import { createTaskStore, type Task, type TaskStore } from '@diq/queue/tasks/task-store.ts';
import { createFlowCharging } from '@diq/queue/scheduling/charge-flows.ts';
import { createJobQueue, type JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { createReadBudget, type ReadBudget } from '@diq/quota/reads/read-budget.ts';
import { shortestLimit } from '@diq/quota/limits.ts';
import { createPermitLimiter, openLimiterConnection } from '@diq/quota/limiter/permit-limiter.ts';
import { createLedger, type Ledger } from '@diq/quota/ledger/ledger.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import {
  closeRedis,
  openBlockingConnection,
  openFailFastConnection,
  waitUntilReady,
  type RedisConnection,
} from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { createReplication } from '@diq/redis/replication.ts';
import { createDefenderClient } from '../defender/defender-client.ts';
import type { TokenProvider, TokenRequestOutcome } from '../defender/auth/token-provider.ts';
import { createTaskSteps } from '../execution/task-steps.ts';
import { listenForWakes } from '../scheduling/wake-listener.ts';
import { startPollLoop, type PollLoop } from './loop-world.ts';
import { createTestMetrics, type TestMetrics } from './test-metrics.ts';
import { createDefenderReader } from '../defender/defender-reader.ts';
import {
  firstQueryInMs as firstLookInMsOf,
  type ReconcileRules,
} from '../reconciliation/resolution-policy.ts';
import { lookUp } from '../reconciliation/query-defender.ts';
import { createReconciler, type Reconciler } from '../reconciliation/reconciler.ts';
import { rescueAbandonedCalls } from '../maintenance/rescue-abandoned-calls.ts';
import { createMachineTurns } from '../execution/machine-turns.ts';
import { createProcessJob, createSetAside } from '../execution/process-job.ts';
import { createMissingJobCheck } from '../maintenance/requeue-missing-jobs.ts';
import { createJobClaimer, type ClaimedJob, type JobClaimer } from '../scheduling/job-claimer.ts';
import { operationIn } from '@diq/contracts/operations.ts';
import { captureLog } from './capture-log.ts';

/** The window of a test worker by default. */
export const testWindowMs = 60_000;

/** The application as which test workers call. */
export const testClientId = '11111111-2222-3333-4444-555555555555';

export interface TestWorkerOptions {
  defenderUrl: string;
  /** initiateInvestigation, unless another one is named. */
  operation?: OperationName;
  createTokens(onRequest: (outcome: TokenRequestOutcome) => void): TokenProvider;
  limit?: number;
  /** One of its own, unless given. */
  budget?: ReadBudget;
  windowMs?: number;
  callTimeoutMs?: number;
  permitTimeoutMs?: number;
  lockMs?: number;
  reconcile?: ReconcileRules;
  /** For how long one look keeps others from it. */
  lookTimeoutMs?: number;
  clientId?: string;
  /** PEM that Defender's certificate is trusted by. */
  ca?: string;
}

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

interface WorkerPlace {
  url: string;
  keySpace: string;
}

export async function openTestWorker(options: TestWorkerOptions & WorkerPlace): Promise<TestWorker> {
  const parts = await openParts(options);
  const { ledger, tasks, jobs, claimer, logger } = parts;
  const closeLoops: (() => Promise<void>)[] = [];
  let closing: Promise<void> | undefined;
  async function closeAll() {
    parts.abandonCalls.abort();
    await Promise.all(closeLoops.map((closeLoop) => closeLoop()));
    await parts.close();
  }

  return {
    ...parts,
    serve: (job) => serveOnce(job, parts.processJob),
    async serveNext() {
      const job = await claimer.claim();
      if (!job) throw new Error('no job to be claimed');
      return serveOnce(job, parts.processJob);
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

async function openParts(options: TestWorkerOptions & WorkerPlace) {
  const { keySpace, limit = 5, windowMs = testWindowMs, callTimeoutMs = 2_000, lockMs = 10_000 } = options;
  const permitTimeoutMs = options.permitTimeoutMs ?? callTimeoutMs + 2_000;
  const { logger, lines } = captureLog();
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const redis = await openRedis(options.url, logger);
  const quota = { limits: [{ calls: limit, windowMs }], callTimeoutMs: permitTimeoutMs };
  const ledger = createLedger(redis.ledger, keySpace, quota);
  await ledger.open();
  await ledger.endColdStart();
  const tasks = createTaskStore(redis.ledger, keySpace, 3_600_000);
  const jobs = createJobQueue(redis.ledger, keySpace, onError);
  const chargeFlows = createFlowCharging(redis.ledger, keySpace, jobs);
  const claimer = createJobClaimer({ redis: redis.queue, keySpace, lockMs, chargeFlows, onError });
  const metrics = createTestMetrics();
  const { tokens, defender, reader } = openDefender({ ...options, callTimeoutMs }, metrics, redis.ledger);
  const rules = options.reconcile ?? { graceMs: 1_000, onUnknown: 'fail' };
  const abandonCalls = new AbortController();
  const abandonRecords = new AbortController();
  const profile = profileOf(options.operation ?? 'initiateInvestigation');
  const used = {
    ledger,
    tasks,
    jobs,
    tokens,
    defender,
    metrics,
    logger,
    profile,
    wording: profile.wording,
    limit,
    windowMs,
    permitTimeoutMs,
    beginWithinMs: permitTimeoutMs,
    firstQueryInMs: firstLookInMsOf(rules.graceMs),
  };
  const turns = createMachineTurns({
    redis: redis.ledger,
    tenantId: /\{([^/]+)\//.exec(keySpace)?.[1] ?? '',
    operation: operationIn(keySpace) ?? 'initiateInvestigation',
    keySpace,
    jobs,
    isServed: () => true,
  });
  const steps = createTaskSteps({
    ...used,
    turns,
    replication: createReplication(redis.ledger, keySpace, 0),
    abandonCalls: abandonCalls.signal,
    abandonRecords: abandonRecords.signal,
  });

  const reconciler = createReconciler({
    ...used,
    lookUp: (call) => lookUp(call, { reader, tokens, records: profile.records }),
    rules,
    clientId: options.clientId ?? testClientId,
    lookTimeoutMs: options.lookTimeoutMs ?? 30_000,
  });

  return {
    ...used,
    reconciler,
    keySpace,
    quota,
    redis,
    claimer,
    steps,
    abandonCalls,
    errors,
    onError,
    logLines: lines,
    processJob: createProcessJob({
      tasks,
      steps,
      aside: createSetAside({ ledger, tasks, jobs }),
      logger,
    }),
    async close() {
      abandonRecords.abort();
      reconciler.close();
      await reader.close();
      await defender.close();
      await tokens.close();
      await claimer.close();
      await jobs.close();
      await Promise.all(Object.values(redis).map((connection) => closeRedis(connection)));
    },
  };
}

async function openRedis(url: string, logger: Logger) {
  const redis = {
    ledger: openFailFastConnection({ address: parseRedisUrl(url), name: 'test-ledger', logger }),
    limiter: openFailFastConnection({ address: parseRedisUrl(url), name: 'test-limiter', logger }),
    queue: openBlockingConnection({ address: parseRedisUrl(url), name: 'test-queue', logger }),
    wakes: openFailFastConnection({ address: parseRedisUrl(url), name: 'test-wakes', logger }),
  };
  await Promise.all(Object.values(redis).map((connection) => waitUntilReady(connection, 2_000)));
  return redis;
}

function openDefender(
  options: TestWorkerOptions & { callTimeoutMs: number },
  metrics: TestMetrics,
  redis: RedisConnection,
) {
  const { defenderUrl, callTimeoutMs, ca, operation = 'initiateInvestigation' } = options;
  const limits = [{ calls: 1_000, windowMs: 60_000 }];
  const ownReads = { redis, tenantId: randomUUID(), limits, timeoutMs: 10_000 };
  const { budget = createReadBudget(ownReads) } = options;
  const address = { baseUrl: defenderUrl, ...(ca !== undefined && { connect: { ca } }) };
  return {
    tokens: options.createTokens((outcome) => metrics.tokenRequests.inc({ outcome })),
    defender: createDefenderClient({ ...address, callTimeoutMs, profile: profileOf(operation) }),
    // On a busy machine too, Defender cannot be read only where the test says so.
    reader: createDefenderReader({ ...address, budget, timeoutMs: 10_000 }),
  };
}

async function openLoop(parts: Awaited<ReturnType<typeof openParts>>) {
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
): Promise<PermitFate> {
  const fates: PermitFate[] = [];
  await processJob(job, {
    spent: () => undefined,
    counted: () => undefined,
    keepForOneWindow: () => fates.push('kept'),
    release: () => fates.push('released'),
  });
  const [fate] = fates;
  if (fate === undefined || fates.length > 1) throw new Error(`the permit was ${fates.join(', ') || 'lost'}`);
  return fate;
}
