import { createDispatchStore, type Dispatch, type DispatchStore } from '@diq/queue/dispatch-store.ts';
import { createTurnPassing } from '@diq/queue/pass-turns.ts';
import { createTicketQueue, type TicketQueue } from '@diq/queue/ticket-queue.ts';
import { createPermitLimiter } from '@diq/quota/permit-limiter.ts';
import { createLedger, type Ledger } from '@diq/quota/ledger.ts';
import type { Logger } from '@diq/runtime/logger.ts';
import {
  closeRedis,
  openBlockingConnection,
  openLedgerConnection,
  waitUntilReady,
} from '@diq/runtime/redis.ts';
import { createDefenderClient } from '../defender/defender-client.ts';
import { initiateInvestigation } from '../defender/operations/initiate-investigation.ts';
import type { TokenProvider, TokenRequestOutcome } from '../defender/token-provider.ts';
import { createDispatchSteps } from '../dispatch-steps.ts';
import { startDrawLoop, type DrawLoop } from '../draw-loop.ts';
import { createWorkerMetrics, type WorkerMetrics } from '../metrics.ts';
import { createDefenderReader } from '../defender/defender-reader.ts';
import { firstLookInMs as firstLookInMsOf, type ReconcileRules } from '../reconcile/next-step.ts';
import { createReconciler, type Reconciler } from '../reconcile/reconciler.ts';
import { recoverDispatches } from '../recover-dispatches.ts';
import type { DispatchSteps } from '../run-dispatch.ts';
import { createServeTicket } from '../serve-ticket.ts';
import { createSetAside } from '../set-aside.ts';
import { createTicketCheck } from '../ticket-check.ts';
import { createTicketDrawer, type DrawnTicket, type TicketDrawer } from '../ticket-drawer.ts';
import { captureLog } from './capture-log.ts';

/** The window of a test worker that is not told another. */
export const testWindowMs = 60_000;

/** The application as which test workers call. */
export const testClientId = '11111111-2222-3333-4444-555555555555';

export interface TestWorkerOptions {
  defenderUrl: string;
  createTokens(onRequest: (outcome: TokenRequestOutcome) => void): TokenProvider;
  limit?: number;
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

/** What became of a permit that was handed to a ticket. */
export type PermitFate = 'kept' | 'released';

/** Everything of one worker but its loop: on real connections of its own, with the real parts. */
export interface TestWorker {
  readonly ledger: Ledger;
  readonly dispatches: DispatchStore;
  readonly tickets: TicketQueue;
  readonly drawer: TicketDrawer;
  readonly steps: DispatchSteps;
  readonly metrics: WorkerMetrics;
  readonly logLines: string[];
  /** What limiter and queue reported. */
  readonly errors: unknown[];
  readonly abandonCalls: AbortController;
  serve(ticket: DrawnTicket): Promise<PermitFate>;
  /** Draws the ticket that is next and sees it through. */
  serveNext(): Promise<PermitFate>;
  find(dispatchId: string): Promise<Dispatch>;
  recover(): Promise<number>;
  readonly reconciler: Reconciler;
  /** One look for missing tickets. */
  checkTickets(): Promise<void>;
  used(): Promise<number>;
  /** The hold that is on, and how long it still lasts. */
  hold(): Promise<{ reason: string; leftMs: number } | undefined>;
  /** Lets it draw by itself, with the real limiter. */
  startLoop(): Promise<DrawLoop>;
  /** Ends it wherever it stands. Tickets in its hands stay there, as when a process dies. */
  close(): Promise<void>;
}

interface WorkerPlace {
  url: string;
  keySpace: string;
}

export async function openTestWorker(options: TestWorkerOptions & WorkerPlace): Promise<TestWorker> {
  const parts = await openParts(options);
  const { ledger, dispatches, tickets, drawer, logger } = parts;
  const closeLoops: (() => Promise<void>)[] = [];
  let closing: Promise<void> | undefined;
  async function closeAll() {
    parts.abandonCalls.abort();
    await Promise.all(closeLoops.map((closeLoop) => closeLoop()));
    await parts.close();
  }

  return {
    ...parts,
    serve: (ticket) => serveOnce(ticket, parts.serveTicket),
    async serveNext() {
      const ticket = await drawer.draw();
      if (!ticket) throw new Error('no ticket to be drawn');
      return serveOnce(ticket, parts.serveTicket);
    },
    async find(dispatchId) {
      const dispatch = await dispatches.find(dispatchId);
      if (!dispatch) throw new Error(`no dispatch ${dispatchId}`);
      return dispatch;
    },
    recover: () => recoverDispatches(parts),
    checkTickets: createTicketCheck({ dispatches, tickets, logger, settleMs: 0 }),
    used: async () => (await ledger.look()).slotsInUse.length,
    async hold() {
      const { hold, nowMs } = await ledger.look();
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
  const quota = { limit, windowMs, callTimeoutMs: permitTimeoutMs };
  const ledger = createLedger(redis.ledger, keySpace, quota);
  await ledger.open();
  await ledger.liftColdStart();
  const dispatches = createDispatchStore(redis.ledger, keySpace, 3_600_000);
  const tickets = createTicketQueue(redis.ledger, keySpace, onError);
  const passTurns = createTurnPassing(redis.ledger, keySpace, tickets);
  const drawer = await createTicketDrawer({ redis: redis.queue, keySpace, lockMs, passTurns, onError });
  const metrics = createWorkerMetrics();
  const { tokens, defender, reader } = openDefender({ ...options, callTimeoutMs }, metrics);
  const rules = options.reconcile ?? { graceMs: 1_000, onUnknown: 'fail' };
  const abandonCalls = new AbortController();
  const abandonRecords = new AbortController();
  const used = {
    ledger,
    dispatches,
    tickets,
    tokens,
    defender,
    metrics,
    logger,
    limit,
    windowMs,
    permitTimeoutMs,
    beginWithinMs: permitTimeoutMs,
    firstLookInMs: firstLookInMsOf(rules.graceMs),
  };
  const steps = createDispatchSteps({
    ...used,
    abandonCalls: abandonCalls.signal,
    abandonRecords: abandonRecords.signal,
  });

  const reconciler = createReconciler({
    ...used,
    reader,
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
    drawer,
    steps,
    abandonCalls,
    errors,
    onError,
    logLines: lines,
    serveTicket: createServeTicket({
      dispatches,
      steps,
      aside: createSetAside({ ledger, dispatches, tickets }),
      logger,
    }),
    async close() {
      abandonRecords.abort();
      await reconciler.close();
      await defender.close();
      await tokens.close();
      await drawer.close();
      await tickets.close();
      await Promise.all(Object.values(redis).map((connection) => closeRedis(connection)));
    },
  };
}

async function openRedis(url: string, logger: Logger) {
  const settings = { url };
  const redis = {
    ledger: openLedgerConnection({ settings, name: 'test-ledger', logger }),
    limiter: openLedgerConnection({ settings, name: 'test-limiter', logger }),
    queue: openBlockingConnection({ settings, name: 'test-queue', logger }),
  };
  await Promise.all(Object.values(redis).map((connection) => waitUntilReady(connection, 2_000)));
  return redis;
}

function openDefender(options: TestWorkerOptions & { callTimeoutMs: number }, metrics: WorkerMetrics) {
  const { defenderUrl, callTimeoutMs, ca } = options;
  const address = { baseUrl: defenderUrl, ...(ca !== undefined && { connect: { ca } }) };
  return {
    tokens: options.createTokens((outcome) => metrics.tokenRequests.inc({ outcome })),
    defender: createDefenderClient({ ...address, callTimeoutMs, profile: initiateInvestigation }),
    // On a busy machine too, Defender cannot be read only where the test says so.
    reader: createDefenderReader({ ...address, timeoutMs: 10_000 }),
  };
}

async function openLoop(parts: Awaited<ReturnType<typeof openParts>>) {
  const { ledger, tickets, drawer, keySpace, quota, onError } = parts;
  const limiter = await createPermitLimiter({ ...quota, redis: parts.redis.limiter, keySpace, onError });
  const loop = startDrawLoop({
    look: () => ledger.look(),
    countReady: () => tickets.countReady(),
    tryAcquire: () => limiter.tryAcquire(),
    draw: () => drawer.draw(),
    serve: parts.serveTicket,
    maxInFlight: quota.limit,
    onError,
  });
  return {
    loop,
    async close() {
      await loop.stop();
      await limiter.close();
    },
  };
}

/** With a permit that only tells what was done to it. */
async function serveOnce(
  ticket: DrawnTicket,
  serveTicket: ReturnType<typeof createServeTicket>,
): Promise<PermitFate> {
  const fates: PermitFate[] = [];
  await serveTicket(ticket, {
    spent: () => undefined,
    keepForOneWindow: () => fates.push('kept'),
    release: () => fates.push('released'),
  });
  const [fate] = fates;
  if (fate === undefined || fates.length > 1) throw new Error(`the permit was ${fates.join(', ') || 'lost'}`);
  return fate;
}
