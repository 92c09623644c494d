import { profileOf } from '@diq/contracts/operations/index.ts';
import { createResultStore } from '@diq/queue/results/result-store.ts';
import { createTaskStore } from '@diq/queue/tasks/task-store.ts';
import { createRunningTasks } from '@diq/queue/tasks/running-tasks.ts';
import { createFlowCharging } from '@diq/queue/scheduling/charge-flows.ts';
import { createRequestLog } from '@diq/queue/requests/transition-log.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { shortestLimit } from '@diq/quota/limits.ts';
import { createLedger, type Ledger } from '@diq/quota/ledger/ledger.ts';
import { createLimiterOnDemand } from '@diq/quota/limiter/limiter-on-demand.ts';
import type { LimiterConnection } from '@diq/quota/limiter/permit-limiter.ts';
import { createReplication } from '@diq/redis/replication.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { tracingOf, type Tracing } from '@diq/runtime/tracing/tracing.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { WorkerConfig } from '../config.ts';
import { createRestore } from '../execution/finish-call.ts';
import { createMachineTurns } from '../execution/machine-turns.ts';
import { createSetAside } from '../execution/process-job.ts';
import { createTaskSteps, type UnusedCall } from '../execution/task-steps.ts';
import { createReadStarted, createWaitReport } from '../maintenance/list-recent-starts.ts';
import type { QueueMetrics } from '../observability/metrics.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { createMoveLog } from '../observability/transition-log.ts';
import { firstQueryInMs as firstQueryInMsOf } from '../reconciliation/resolution-policy.ts';
import { createJobClaimer } from '../scheduling/job-claimer.ts';
import type { WorkerRedis } from './open-redis.ts';
import type { OpenTenant } from './open-tenant.ts';

export interface OpenQueueOptions {
  queue: Queue;
  tenant: OpenTenant;
  redis: WorkerRedis;
  limiters: LimiterConnection;
  /** Of this process, in its signs of life. */
  processId: string;
  config: Pick<
    WorkerConfig,
    | 'callTimeoutMs'
    | 'reconcile'
    | 'coldStart'
    | 'retentionMs'
    | 'waitReplicas'
    | 'lookBeforeCall'
    | 'followUp'
    | 'followUpEveryMs'
  >;
  logger: Logger;
  metrics: QueueMetrics;
  tracing: Tracing;
  /** Gives up calls in flight, and the storing of outcomes; `closing` ends what only waits. */
  signals: Record<'calls' | 'records' | 'closing', AbortSignal>;
  /** Longest time between two looks at a queue that has work, in ms. */
  longestMs(): number;
  /** Whether a queue, by its key space, is in the settings. */
  isServed(keySpace: string): boolean;
  /** A job was processed: what the last look saw is out of date. */
  onServed(): void;
}

export type QueueParts = ReturnType<typeof createQueueParts>;

/** From spending a permit to the moment by which its call must have begun. */
const beginWithinMs = 5_000;
/** While Redis is away, a clean disconnect is not worth more time. */
const closeWithinMs = 1_000;

/** What this process knows of a queue's calls and Redis may lose. It stays in memory where the queue is let go. */
export interface CallMemory {
  readonly ledger: Ledger;
  readonly unused: UnusedCall[];
}

/** Its ledger is not opened yet. */
export function createCallMemory({ queue, redis, config, processId }: OpenQueueOptions): CallMemory {
  const quota = { limits: queue.limits, callTimeoutMs: permitTimeoutOf(config) };
  return { ledger: createLedger(redis.ledger, queue.keySpace, { ...quota, processId }), unused: [] };
}

/** The parts that serve a queue. None does anything by itself; `close` ends what they have opened. */
export function createQueueParts(
  options: OpenQueueOptions,
  { ledger, unused }: CallMemory,
  closing: AbortSignal,
) {
  const { queue, tenant, redis, limiters, config, logger, metrics, tracing, signals } = options;
  const { keySpace } = queue;
  const permitTimeoutMs = permitTimeoutOf(config);
  const quota = { limits: queue.limits, callTimeoutMs: permitTimeoutMs };
  const shortest = shortestLimit(queue.limits);
  const limiterOutage = createOutageLog(logger, 'the permit limiter');
  const queueOutage = createOutageLog(logger, 'the job queue');
  const onQueueError = (error: unknown): void => queueOutage.failed(error);

  const limiter = createLimiterOnDemand({
    ...quota,
    connection: limiters,
    keySpace,
    onError: (error) => limiterOutage.failed(error),
  });
  const requestLog = createRequestLog(redis.ledger, keySpace, logger);
  const moveLog = createMoveLog(requestLog);
  const profile = profileOf(queue.operation);
  const { followForMs, wording, concurrency } = profile;
  const follow = config.followUp ? { forMs: followForMs, firstReadInMs: config.followUpEveryMs } : undefined;
  const tasks = createTaskStore(redis.ledger, keySpace, config.retentionMs, moveLog.moved, follow);
  const jobs = createJobQueue(redis.ledger, keySpace, onQueueError);
  const claimer = createJobClaimer({
    redis: redis.queue,
    keySpace,
    // Long enough that no call outlives its job's lock, even if the lock is never renewed.
    lockMs: 2 * permitTimeoutMs,
    chargeFlows: createFlowCharging(redis.ledger, keySpace, jobs),
    onError: onQueueError,
  });
  const defender = tenant.createClient(profile);
  const firstQueryInMs = firstQueryInMsOf(config.reconcile.graceMs);
  const { tokens, reader } = tenant;
  const shared = { ledger, tasks, jobs, tokens, metrics, logger, wording, permitTimeoutMs, firstQueryInMs };
  // Without looks nothing shows that a machine is back.
  const offlineCalls = config.lookBeforeCall ? concurrency?.offlineCalls : undefined;
  const room = concurrency && { calls: concurrency.calls, offlineCalls };
  const turns = createMachineTurns({
    redis: redis.ledger,
    tenantId: queue.tenantId,
    operation: queue.operation,
    keySpace,
    jobs,
    isServed: options.isServed,
    followsResults: config.followUp,
    onQueueError,
  });
  const steps = createTaskSteps({
    ...shared,
    unused,
    turns,
    running:
      room === undefined ? undefined : createRunningTasks(redis.ledger, keySpace, room, config.followUp),
    profile,
    moveLog,
    replication: createReplication(redis.ledger, keySpace, config.waitReplicas),
    tracing: tracingOf(queue, tracing),
    defender,
    windowMs: shortest.windowMs,
    beginWithinMs,
    abandonCalls: signals.calls,
    abandonRecords: signals.records,
  });
  const opening = {
    ledger,
    mode: config.coldStart,
    readStarted: createReadStarted(reader, tokens, profile.records, createWaitReport(logger)),
    beforeReopening: () => steps.attemptPending(),
    onRestored: createRestore(shared, closing),
    logger,
  };
  return {
    shared,
    ledger,
    opening,
    tasks,
    results: createResultStore(redis.ledger, keySpace, config.retentionMs),
    jobs,
    claimer,
    limiter,
    steps,
    turns,
    room,
    mostInFlight: shortest.calls,
    aside: createSetAside({ ledger, tasks, jobs }),
    async close(): Promise<void> {
      await defender.close();
      await claimer.close();
      await Promise.all([jobs.close(), turns.close(), requestLog.close(), limiter.close()].map(politely));
    },
  };
}

/** From spending a permit to the moment at which its call can no longer be under way. */
export function permitTimeoutOf({ callTimeoutMs }: Pick<WorkerConfig, 'callTimeoutMs'>): number {
  return callTimeoutMs + beginWithinMs;
}

/** Waits for what is closed, as long as that is worth it. Never rejects. */
export async function politely(close: Promise<unknown>): Promise<void> {
  await within(close, closeWithinMs).catch(() => undefined);
}
