import { keySpace as keySpaceOf } from '@diq/contracts/key-space.ts';
import { createDispatchStore } from '@diq/queue/dispatch-store.ts';
import { createTicketQueue } from '@diq/queue/ticket-queue.ts';
import { createLedger } from '@diq/quota/ledger.ts';
import { createPermitLimiter } from '@diq/quota/permit-limiter.ts';
import type { Lifecycle } from '@diq/runtime/lifecycle.ts';
import type { Logger } from '@diq/runtime/logger.ts';
import {
  closeRedis,
  openBlockingConnection,
  openLedgerConnection,
  waitUntilReady,
} from '@diq/runtime/redis.ts';
import type { WorkerConfig } from './config.ts';
import { afterCalm } from './after-calm.ts';
import { openLedger } from './cold-start.ts';
import { createReadStarted } from './cold-start-starts.ts';
import { createDefenderClient } from './defender/defender-client.ts';
import { createDefenderReader } from './defender/defender-reader.ts';
import { findOperation } from './defender/operations/find-operation.ts';
import { createTokenProvider } from './defender/token-provider.ts';
import { createDispatchSteps } from './dispatch-steps.ts';
import { startDrawLoop } from './draw-loop.ts';
import type { DrawLoop } from './draw-loop.ts';
import type { WorkerMetrics } from './metrics.ts';
import { firstLookInMs as firstLookInMsOf } from './reconcile/next-step.ts';
import { createReconciler } from './reconcile/reconciler.ts';
import { recoverDispatches } from './recover-dispatches.ts';
import { repeat } from './repeat.ts';
import { createServeTicket } from './serve-ticket.ts';
import { createTicketCheck } from './ticket-check.ts';
import { createTicketDrawer } from './ticket-drawer.ts';

export interface WorkerParts {
  config: WorkerConfig;
  logger: Logger;
  lifecycle: Lifecycle;
  metrics: WorkerMetrics;
}

/** From spending a permit to the moment by which its call must have begun. */
const beginWithinMs = 5_000;
/** When stopping: how long calls in flight may take, and how long their outcomes may take to store after that. */
const finishCallsMs = 7_000;
const finishRecordsMs = 1_500;

const recoverEveryMs = 1_000;
/** After an outage of Redis, workers that live store what they know within a second; they go first. */
const afterOutageMs = 5_000;
const checkTicketsEveryMs = 2_000;
/** One page of what Defender knows; a look is four of them at most. */
const longestReadMs = 10_000;
const readsPerLook = 4;
const longestBetweenLooksMs = 1_000;

/** Opens everything a worker needs and starts drawing. `lifecycle` closes it in reverse order. */
export async function openWorker(parts: WorkerParts): Promise<DrawLoop> {
  const { config, logger, lifecycle, metrics } = parts;
  const { limit, windowMs, callTimeoutMs } = config;
  const keySpace = keySpaceOf(config);
  const permitTimeoutMs = callTimeoutMs + beginWithinMs;
  const onError = (error: unknown) => logger.warn({ err: error }, 'limiter or queue reports');

  const redis = await openConnections(config.redisUrl, logger, lifecycle);
  const ledger = createLedger(redis.ledger, keySpace, { limit, windowMs, callTimeoutMs: permitTimeoutMs });
  const limiter = await createPermitLimiter({
    redis: redis.limiter,
    keySpace,
    limit,
    windowMs,
    callTimeoutMs: permitTimeoutMs,
    onError,
  });
  lifecycle.onClose('permit limiter', () => limiter.close());
  const dispatches = createDispatchStore(redis.ledger, keySpace, config.retentionMs);
  const tickets = createTicketQueue(redis.ledger, keySpace, onError);
  lifecycle.onClose('ticket queue', () => tickets.close());
  // Long enough that no call outlives its ticket's lock, even if the lock is never renewed.
  const lockMs = 2 * permitTimeoutMs;
  const drawer = await createTicketDrawer({ redis: redis.queue, keySpace, lockMs, onError });
  lifecycle.onClose('ticket drawer', () => drawer.close());

  const { tokens, defender, reader } = openDefender(parts);
  const readStarted = createReadStarted(reader, tokens);
  const { look, close } = await openLedger({ ledger, mode: config.coldStart, readStarted, logger });
  lifecycle.onClose('cold start', close);
  const firstLookInMs = firstLookInMsOf(config.reconcile.graceMs);
  const abandonCalls = new AbortController();
  const abandonRecords = new AbortController();
  const steps = createDispatchSteps({
    ledger,
    dispatches,
    tokens,
    defender,
    metrics,
    logger,
    limit,
    windowMs,
    permitTimeoutMs,
    beginWithinMs,
    firstLookInMs,
    abandonCalls: abandonCalls.signal,
    abandonRecords: abandonRecords.signal,
  });
  const recovery = { ledger, dispatches, tickets, logger, permitTimeoutMs, firstLookInMs };
  const recover = afterCalm(afterOutageMs, () => recoverDispatches(recovery));
  lifecycle.onClose('recovery', repeat(recoverEveryMs, recover, onError));
  lifecycle.onClose('ticket check', repeat(checkTicketsEveryMs, createTicketCheck(recovery), onError));
  const reconciler = createReconciler({
    ...recovery,
    tokens,
    reader,
    metrics,
    clientId: config.clientId,
    rules: config.reconcile,
    lookTimeoutMs: readsPerLook * longestReadMs,
  });
  const betweenLooksMs = Math.min(firstLookInMs, longestBetweenLooksMs);
  const stopLooking = repeat(betweenLooksMs, () => reconciler.lookAtDue(), onError);
  lifecycle.onClose('reconciler', async () => {
    await reconciler.close();
    await stopLooking();
  });

  const loop = startDrawLoop({
    look,
    countReady: () => tickets.countReady(),
    tryAcquire: () => limiter.tryAcquire(),
    draw: () => drawer.draw(),
    serve: createServeTicket({ dispatches, steps, logger }),
    maxInFlight: limit,
    onIdle: (seconds) => metrics.slotIdle.inc(seconds),
    onError: (error) => logger.warn({ err: error }, 'queue or ledger cannot be asked, nobody calls'),
  });
  lifecycle.onClose('draw loop', async () => {
    const timers = [
      setTimeout(() => abandonCalls.abort(), finishCallsMs),
      setTimeout(() => abandonRecords.abort(), finishCallsMs + finishRecordsMs),
    ];
    await loop.stop();
    for (const timer of timers) clearTimeout(timer);
  });
  return loop;
}

/** Limiter and ledger have their own connections: what one of them waits for must not hold up the other. */
async function openConnections(url: string, logger: Logger, lifecycle: Lifecycle) {
  const settings = { url };
  const redis = {
    ledger: openLedgerConnection({ settings, name: 'diq-worker-ledger', logger }),
    limiter: openLedgerConnection({ settings, name: 'diq-worker-limiter', logger }),
    queue: openBlockingConnection({ settings, name: 'diq-worker-queue', logger }),
  };
  for (const [name, connection] of Object.entries(redis)) {
    lifecycle.onClose(`redis (${name})`, () => closeRedis(connection));
  }
  for (const connection of Object.values(redis)) await untilReady(connection, lifecycle);
  return redis;
}

/** A worker outlives its Redis: started before it, it waits. */
async function untilReady(
  connection: Parameters<typeof waitUntilReady>[0],
  { closing }: Lifecycle,
): Promise<void> {
  while (!closing.aborted) {
    const isReady = await waitUntilReady(connection, 1_000).then(
      () => true,
      () => false,
    );
    if (isReady) return;
  }
  throw new Error('told to stop before Redis could be reached');
}

function openDefender({ config, logger, lifecycle, metrics }: WorkerParts) {
  const tokens = createTokenProvider({
    tenantId: config.tenantId,
    clientId: config.clientId,
    credential: config.credential,
    authorityHost: config.authorityHost,
    scope: config.scope,
    onRequest: (outcome) => metrics.tokenRequests.inc({ outcome }),
    logger,
  });
  lifecycle.onClose('token provider', () => tokens.close());
  const defender = createDefenderClient({
    baseUrl: config.baseUrl,
    callTimeoutMs: config.callTimeoutMs,
    profile: findOperation(config.operation),
  });
  lifecycle.onClose('defender client', () => defender.close());
  const reader = createDefenderReader({
    baseUrl: config.baseUrl,
    timeoutMs: Math.min(config.callTimeoutMs, longestReadMs),
  });
  lifecycle.onClose('defender reader', () => reader.close());
  return { tokens, defender, reader };
}
