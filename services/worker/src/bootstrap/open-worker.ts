import { profileOf } from '@diq/contracts/operations/index.ts';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { ServiceContext } from '@diq/runtime/processes/run-service.ts';
import type { Tracing } from '@diq/runtime/tracing/tracing.ts';
import { shortestLimit } from '@diq/quota/limits.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import type { WorkerConfig } from '../config.ts';
import { checkRedis, openRedis, untilRedisServes } from './open-redis.ts';
import { openLedger } from '../maintenance/bootstrap-ledger.ts';
import { createReadStarted } from '../maintenance/list-recent-starts.ts';
import { createTaskSteps } from '../execution/task-steps.ts';
import { startPollLoop, type PollLoop } from '../scheduling/poll-loop.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';
import { longestReadMs, openDefender } from './open-defender.ts';
import { openQueue } from './open-queue.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { firstQueryInMs as firstQueryInMsOf } from '../reconciliation/resolution-policy.ts';
import { criticalReserve } from '../scheduling/reserved-slots.ts';
import { createRestore } from '../execution/finish-call.ts';
import { createProcessJob, createSetAside } from '../execution/process-job.ts';
import { startMaintenance } from '../maintenance/maintenance.ts';

export interface WorkerParts {
  config: WorkerConfig;
  logger: Logger;
  lifecycle: Lifecycle;
  metrics: WorkerMetrics;
  tracing: Tracing;
  fail: ServiceContext['fail'];
}

/** A worker that claims jobs. */
export type OpenWorker = Awaited<ReturnType<typeof openWorker>>;

/** From spending a permit to the moment by which its call must have begun. */
const beginWithinMs = 5_000;
/** When stopping: how long calls in flight may take, and how long their outcomes may take to store after that. */
const finishCallsMs = 6_500;
const finishRecordsMs = 1_500;
const sayGoodbyeMs = 300;
/** One query for the outcome of a call is four reads at most. */
const readsPerLook = 4;

/** Opens everything a worker needs and starts claiming. `lifecycle` closes it in reverse order. */
export async function openWorker(parts: WorkerParts) {
  const { config, logger, lifecycle, metrics, tracing } = parts;
  const { limits } = config;
  const shortest = shortestLimit(limits);
  const permitTimeoutMs = config.callTimeoutMs + beginWithinMs;
  const firstQueryInMs = firstQueryInMsOf(config.reconcile.graceMs);

  const redis = await openRedis(config.redisAddress, logger, lifecycle);
  await checkRedis(redis.ledger, logger);
  const quota = { limits, callTimeoutMs: permitTimeoutMs };
  const queue = await openQueue({ ...parts, ...config, redis, owner: config, quota });
  const { ledger, limiter, tasks, jobs, claimer } = queue;
  const { tokens, defender, reader } = openDefender(parts);
  const profile = profileOf(config.operation);
  const { wording } = profile;
  const readStarted = createReadStarted(reader, tokens, profile.records);
  const shared = { ledger, tasks, jobs, tokens, metrics, logger, wording, permitTimeoutMs, firstQueryInMs };
  const abandon = { calls: new AbortController(), records: new AbortController() };
  const onRestored = createRestore(shared, lifecycle.closing);
  const opening = { ledger, mode: config.coldStart, readStarted, onRestored, logger };
  const { snapshot, close } = await untilRedisServes(() => openLedger(opening), logger, lifecycle.closing);
  lifecycle.onClose('cold start', close);

  const steps = createTaskSteps({
    ...shared,
    profile,
    moveLog: queue.moveLog,
    tracing,
    defender,
    windowMs: shortest.windowMs,
    beginWithinMs,
    abandonCalls: abandon.calls.signal,
    abandonRecords: abandon.records.signal,
  });
  const aside = createSetAside(queue);
  startMaintenance({
    ...shared,
    aside,
    claimer,
    lifecycle,
    reader,
    profile,
    clientId: config.clientId,
    rules: config.reconcile,
    lookTimeoutMs: readsPerLook * longestReadMs,
  });

  const claiming = createOutageLog(logger, 'polling queue and ledger');
  const loop = startPollLoop({
    snapshot,
    countReady: () => jobs.countReady(),
    tryAcquire: () => limiter.tryAcquire(),
    claim: () => claimer.claim(),
    serve: createProcessJob({ tasks, steps, aside, logger }),
    ...criticalReserve(config, queue),
    maxInFlight: shortest.calls,
    onIdle: (seconds) => metrics.slotIdle.inc(seconds),
    onTurn: claiming.worked,
    onError: claiming.failed,
  });
  lifecycle.onClose('claim loop', async () => {
    await finishCalls(loop, abandon);
    // The status shows at once that this worker is gone; without it, some seconds later.
    await within(ledger.leave(), sayGoodbyeMs).catch(() => undefined);
  });
  return {
    loop,
    /** Rejects while Redis takes no writes, not even those that a full one takes. */
    probeWrite: queue.probeWrite,
  };
}

/** Lets calls in flight end and their outcomes be stored, but not for longer than a supervisor waits. */
async function finishCalls(
  loop: PollLoop,
  abandon: Record<'calls' | 'records', AbortController>,
): Promise<void> {
  const timers = [
    setTimeout(() => abandon.calls.abort(), finishCallsMs),
    setTimeout(() => abandon.records.abort(), finishCallsMs + finishRecordsMs),
  ];
  await loop.stop();
  for (const timer of timers) clearTimeout(timer);
}
