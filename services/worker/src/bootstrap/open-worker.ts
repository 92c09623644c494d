import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { createWriteProbe } from '@diq/queue/operations/write-probe.ts';
import { createWorkerSign } from '@diq/quota/ledger/worker-signs.ts';
import { limiterKey, openLimiterConnection } from '@diq/quota/limiter/permit-limiter.ts';
import { repeat } from '@diq/runtime/async/run-periodically.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import { onePerServer } from '@diq/redis/ask-owner.ts';
import { describeTroubleOn, onServerReady, type RedisConnection } from '@diq/redis/connection.ts';
import { createReplication } from '@diq/redis/replication.ts';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { ServiceContext } from '@diq/runtime/processes/run-service.ts';
import type { Tracing } from '@diq/runtime/tracing/tracing.ts';
import { watchTenants } from '@diq/tenants/watch-tenants.ts';
import { queuesOf } from '@diq/tenants/tenant.ts';
import type { WorkerConfig } from '../config.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import { createLookScheduler } from '../scheduling/look-scheduler.ts';
import { listenForWakes } from '../scheduling/wake-listener.ts';
import { checkRedis, openRedis, untilRedisServes } from './open-redis.ts';
import { createServedTenants } from './served-tenants.ts';

export interface WorkerParts {
  config: WorkerConfig;
  logger: Logger;
  lifecycle: Lifecycle;
  metrics: WorkerMetrics;
  tracing: Tracing;
  fail: ServiceContext['fail'];
  /** Gets a connection to Redis that may not be made yet. */
  onConnecting?: (redis: RedisConnection) => void;
}

/** A worker that claims jobs. */
export type OpenWorker = Awaited<ReturnType<typeof openWorker>>;

/** When stopping: how long calls in flight may take, and how long their outcomes may take to store after that. */
const finishCallsMs = 6_500;
const finishRecordsMs = 1_500;
const sayGoodbyeMs = 300;
const signEveryMs = 2_000;

/** Opens everything a worker needs and starts claiming. `lifecycle` closes it in reverse order. */
export async function openWorker(parts: WorkerParts) {
  const { config, logger, lifecycle } = parts;
  const redis = await openRedis(config.redisAddress, logger, lifecycle, parts.onConnecting);
  const spaces = config.tenants.flatMap(queuesOf).map(({ keySpace }) => keySpace);
  for (const keySpace of onePerServer(redis.ledger, spaces)) await checkRedis(redis.ledger, keySpace, logger);
  const limiterOutage = createOutageLog(logger, 'the connection of the permit limiters');
  const limiters = openLimiterConnection(redis.limiter, (error) => limiterOutage.failed(error));
  lifecycle.onClose('connection of the permit limiters', () => limiters.close());

  const scheduler = createLookScheduler();
  const abandon = { calls: new AbortController(), records: new AbortController() };
  const signals = {
    calls: abandon.calls.signal,
    records: abandon.records.signal,
    closing: lifecycle.closing,
  };
  // Each call listens for them.
  for (const signal of Object.values(signals)) setMaxListeners(0, signal);
  const processId = randomUUID();
  const sign = createWorkerSign(redis.ledger, processId);
  const tenants = createServedTenants({
    ...parts,
    redis,
    limiters,
    scheduler,
    signals,
    processId,
    onQueues: (queues) => sign.serve(queues.map(({ keySpace }) => keySpace)),
  });
  lifecycle.onClose('queues', async () => {
    scheduler.stop();
    await finishWithin(() => tenants.close(), abandon);
  });
  await tenants.serve(config.tenants);
  await untilRedisServes(() => sign.live(), logger, lifecycle.closing);
  const lastSignAtMs = startSigns(sign, logger, lifecycle);
  const listening = createOutageLog(logger, 'the subscription to wakes');
  listenForWakes(redis.wakes, {
    onWake(keySpace, reason, by) {
      if (by !== processId) tenants.queueOf(keySpace)?.wake(reason);
    },
    onLinkAsked: (keySpace) => tenants.answerLinks(keySpace),
    onReadAsked: (tenantId) => tenants.answerReads(tenantId),
    onGap: () => tenants.missedWakes(),
    onError: (error) => listening.failed(error),
  });
  if (config.tenantsFile !== undefined) {
    const watched = { path: config.tenantsFile, tenants: config.tenants, onChange: tenants.change, logger };
    lifecycle.onClose('watch of the tenants', watchTenants(watched));
  }
  onServerReady(redis.ledger, () => tenants.reconnected());

  const [first] = tenants.queues();
  const probeSpace = first?.keySpace ?? 'diq:{workers}';
  const write = createWriteProbe(redis.ledger, probeSpace, {
    evenFull: true,
    further: first ? [limiterKey(first.keySpace)] : [],
  });
  const replication = createReplication(redis.ledger, probeSpace, config.waitReplicas);
  return {
    queues: tenants.queues,
    lastSignAtMs,
    /** Rejects while Redis takes no writes, not even those that a full one takes. */
    probeWrite: () => replication.replicated(write),
    /** Why `probeWrite` rejected, as the end of a sentence that begins with Redis. */
    describeTrouble: (error: unknown) => describeTroubleOn(redis.ledger, error),
  };
}

/** @returns local time of the last sign of life that was written */
function startSigns(sign: ReturnType<typeof createWorkerSign>, logger: Logger, lifecycle: Lifecycle) {
  let lastSignAtMs = Date.now();
  const outages = createOutageLog(logger, "writing the worker's sign of life");
  const live = outages.watched(async () => {
    await sign.live();
    lastSignAtMs = Date.now();
  });
  const stop = repeat(signEveryMs, live, (error) => outages.failed(error));
  lifecycle.onClose('sign of life', async () => {
    await within(stop(), sayGoodbyeMs).catch(() => undefined);
    await within(sign.leave(), sayGoodbyeMs).catch(() => undefined);
  });
  return () => lastSignAtMs;
}

/** Lets calls in flight end and their outcomes be stored, but not for longer than a supervisor waits. */
async function finishWithin(
  finish: () => Promise<void>,
  abandon: Record<'calls' | 'records', AbortController>,
): Promise<void> {
  const timers = [
    setTimeout(() => abandon.calls.abort(), finishCallsMs),
    setTimeout(() => abandon.records.abort(), finishCallsMs + finishRecordsMs),
  ];
  await finish();
  for (const timer of timers) clearTimeout(timer);
}
