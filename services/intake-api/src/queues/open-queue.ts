import { machineKeyOf } from '@diq/contracts/machine-name.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { itemRulesOf, type InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { profileOf } from '@diq/contracts/operations/index.ts';
import { createRequestIntake } from '@diq/queue/admission/accept-requests.ts';
import { createBacklogRoom } from '@diq/queue/admission/backlog-reservation.ts';
import { createBatchTailReader } from '@diq/queue/batches/batch-tail.ts';
import { createDryRun } from '@diq/queue/admission/dry-run.ts';
import { createIdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import { coalescingKeyOf } from '@diq/queue/admission/sharing.ts';
import { createProvisionalIds, type ProvisionalIds } from '@diq/queue/front-door/provisional-ids.ts';
import { createLinkExchange } from '@diq/queue/questions/link-exchange.ts';
import { createMachineOrder } from '@diq/queue/machine-order/machine-order.ts';
import { createRequestReader } from '@diq/queue/requests/request-reader.ts';
import { createRequestLog } from '@diq/queue/requests/transition-log.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { createQueueFigures } from '@diq/queue/operations/queue-figures.ts';
import { createQueueOrder } from '@diq/queue/scheduling/queue-order.ts';
import { orderRules } from '@diq/queue/scheduling/order.ts';
import { slowestLimit } from '@diq/quota/limits.ts';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { createReplication } from '@diq/redis/replication.ts';
import type { ReadingPace } from '@diq/runtime/async/memoize.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { tracingOf, type Tracing } from '@diq/runtime/tracing/tracing.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { IntakeSettings } from '../config/config.ts';
import type { QueueDependencies } from '../dependencies.ts';
import { createForecastCompletion } from '../estimates/batch-completion.ts';
import { createLedgerReading } from '../estimates/forecast-start.ts';
import { createWorkerWatch, type QueueState } from '../estimates/queue-state.ts';
import type { IntakeMetrics } from '../observability/metrics.ts';
import { createQueueActions } from '../queue-actions.ts';
import { openStateFeed } from './open-state-feed.ts';
import { keysWithinMemory, withBackPressure } from '../submission/admission-control.ts';
import { createDeadlineCheck } from '../submission/deadline-check.ts';
import { idempotencyTimes } from '../submission/idempotency.ts';
import type { MemoryByServer } from '../submission/memory-by-server.ts';
import { keysOnReplicas, withReplicas } from '../submission/replicated-intake.ts';
import type { FirstOn } from '../views/blocked-view.ts';
import { createExplainPlace } from '../views/explain-place.ts';
import { createDescribeRequest } from '../views/request-view.ts';

export interface OpenQueueOptions {
  settings: IntakeSettings;
  redis: RedisConnection;
  /** On which requests are recorded; the same one where no replica is waited for. */
  submitting: RedisConnection;
  logger: Logger;
  tracing: Tracing;
  metrics: Pick<IntakeMetrics, 'ofQueue'>;
  memory: Pick<MemoryByServer, 'of'>;
  /** How old the quota may be that status answers are reckoned from: polling must not multiply readings. */
  ledgerMaxAgeMs: number;
  paces: ReadingPaces;
  /** Counts how long workers stand still; one that only runs forward. */
  workerClockMs?: (() => number) | undefined;
}

/** Of what is read for answers about single requests, in all queues of a process. */
export interface ReadingPaces {
  ledger: ReadingPace;
  sample: ReadingPace;
}

/** With Redis away, the last lines are written without what it knows of their requests. */
const finishLogMs = 1_000;

/** A queue as the intake works with it. */
export type OpenQueue = ReturnType<typeof openQueue>;

/** What one queue's routes work with, and how it is closed. Nothing is read or written for it. */
export function openQueue(queue: Queue, options: OpenQueueOptions) {
  const { settings, redis, submitting, logger, tracing, memory } = options;
  const { keySpace } = queue;
  const profile = profileOf(queue.operation);
  const slowest = slowestLimit(queue.limits);
  const own = {
    ...settings,
    sharing: profile,
    order: orderRules({ ...settings.priorities, limit: slowest.calls, windowMs: slowest.windowMs }),
    redis,
    keySpace,
  };
  // The connection logs its own troubles; the queue repeats them.
  const jobs = createJobQueue(redis, keySpace, (error) => logger.debug({ err: error }, 'queue error'));
  const requestLog = createRequestLog(
    redis,
    keySpace,
    logger.child({ tenant: queue.tenant, operation: queue.operation }),
  );
  const { reader, ledgerSnapshot, readState, workerReport } = createReadings(queue, options);
  const places = placesOf(queue, options);
  const firstOn: FirstOn = places?.firstOn ?? (async (machineIds) => machineIds.map(() => undefined));
  const actions = createQueueActions({ ...own, jobs, onMoved: requestLog.moved });
  const explanation = createExplainPlace({
    order: createQueueOrder(redis, keySpace),
    backlog: () => reader.backlog(),
    ledgerSnapshot,
    firstOn,
    rules: { headStartMs: own.order.headStartMs, reserveForCritical: queue.reserveForCritical },
    pace: options.paces.sample,
  });
  const metrics = options.metrics.ofQueue(queue);
  const stateFeed = openStateFeed({
    queue,
    settings,
    redis,
    actions,
    readState,
    nextCalls: explanation.nextCalls,
    logger,
  });
  const replication = createReplication(submitting, keySpace, settings.waitReplicas);
  const recordingIntake = createRequestIntake({
    ...own,
    redis: submitting,
    jobs,
    enterOrder: places?.enter,
  });
  const memoryOfServer = memory.of(keySpace);
  const keyStore = createIdempotencyStore(submitting, keySpace, idempotencyTimes);
  const parts: QueueDependencies = {
    queue,
    stateFeed,
    itemRules: itemRulesOf(profile),
    countOutcomes: metrics.countOutcomes,
    idempotency: keysWithinMemory(keysOnReplicas(keyStore, replication), memoryOfServer),
    intake: withBackPressure(withReplicas(recordingIntake, replication), {
      queueTag: queue.tag,
      settings: settings.backPressure,
      room: createBacklogRoom(redis, keySpace),
      memory: memoryOfServer,
      ledgerSnapshot,
      tracing: tracingOf(queue, tracing),
      hasPlaces: places !== undefined,
    }),
    reader,
    links: createLinkExchange(redis, keySpace),
    provisionalIds: onReplicas(createProvisionalIds(submitting, keySpace, settings.retentionMs), replication),
    readState,
    readOutcomes: createQueueFigures(redis, keySpace).readOutcomes,
    actions,
    describeRequest: createDescribeRequest(ledgerSnapshot, firstOn),
    readAhead: () => void ledgerSnapshot().catch(() => undefined),
    explainPlace: explanation.explain,
    nextCalls: explanation.nextCalls,
    forecastCompletion: createForecastCompletion(
      createBatchTailReader(redis, keySpace, jobs),
      ledgerSnapshot,
    ),
    deadlineCheck: createDeadlineCheck(
      createDryRun(redis, keySpace, jobs, { ...own, lookAtOrder: places?.look }),
      ledgerSnapshot,
    ),
  };
  return {
    queue,
    parts,
    metrics,
    workerReport,
    async close(): Promise<void> {
      stateFeed.close();
      await within(requestLog.close(), finishLogMs).catch(() => undefined);
      await jobs.close();
    },
  };
}

/** What is given out must be known after a failover, as what it stands for is. */
function onReplicas(
  ids: ProvisionalIds,
  { replicated }: ReturnType<typeof createReplication>,
): ProvisionalIds {
  return {
    ...ids,
    numberOf: (...about) => replicated(() => ids.numberOf(...about)),
    firstOf: (...about) => replicated(() => ids.firstOf(...about)),
    replaceFirst: (...about) => replicated(() => ids.replaceFirst(...about)),
    noteRepeat: (...about) => replicated(() => ids.noteRepeat(...about)),
  };
}

/** The places of requests in the order of their machines; `undefined` where the operation may overtake any other. */
function placesOf({ tenantId, operation }: Queue, { redis, submitting, settings }: OpenQueueOptions) {
  const profile = profileOf(operation);
  if (profile.order === undefined) return undefined;
  const order = createMachineOrder(submitting, tenantId, profile.order);
  const replication = createReplication(submitting, order.keySpace, settings.waitReplicas);
  const acts = (items: readonly InvestigationItem[]) =>
    items.map((item) => ({ machineId: machineKeyOf(item), operation, key: coalescingKeyOf(item, profile) }));
  return {
    enter: (items: readonly InvestigationItem[]) => replication.replicated(() => order.enter(acts(items))),
    look: (items: readonly InvestigationItem[]) => order.look(acts(items)),
    firstOn: createMachineOrder(redis, tenantId, profile.order).firstOn,
  };
}

/** What is read of requests, queue and quota. */
function createReadings(
  queue: Queue,
  { redis, settings, ledgerMaxAgeMs, paces, workerClockMs }: OpenQueueOptions,
) {
  const { keySpace, reserveForCritical } = queue;
  const { callTimeoutMs, followsResults } = settings;
  const { concurrency } = profileOf(queue.operation);
  const ledger = createLedger(redis, keySpace, { limits: queue.limits, callTimeoutMs });
  const reader = createRequestReader(redis, keySpace);
  const workerWatch = createWorkerWatch(workerClockMs);
  const { snapshot, snapshotOrRecall } = createLedgerReading({
    snapshot: () => ledger.snapshot(),
    countCriticalWaiting: () => reader.countWaitingOf('critical'),
    reserveForCritical,
    running: concurrency && { most: concurrency.calls, count: () => reader.countRunning({ followsResults }) },
    maxAgeMs: ledgerMaxAgeMs,
    pace: paces.ledger,
  });
  return {
    reader,
    ledgerSnapshot: snapshotOrRecall,
    async readState(): Promise<QueueState> {
      const [view, backlog] = await Promise.all([snapshot(), reader.backlog()]);
      const state = { view, backlog, reserveForCritical };
      return { ...state, workers: workerWatch.saw(state) };
    },
    workerReport: workerWatch.lastReport,
  };
}
