import { profileOf } from '@diq/contracts/operations/index.ts';
import { itemRulesOf } from '@diq/contracts/investigation-item.ts';
import { claimLayout, LayoutError, watchLayout } from '@diq/queue/layout.ts';
import { createRequestIntake } from '@diq/queue/admission/accept-requests.ts';
import { createBacklogRoom } from '@diq/queue/admission/backlog-reservation.ts';
import { createBatchTailReader } from '@diq/queue/batches/batch-tail.ts';
import { createDryRun } from '@diq/queue/admission/dry-run.ts';
import { createIdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import { createRequestReader } from '@diq/queue/requests/request-reader.ts';
import { createWriteProbe } from '@diq/queue/operations/write-probe.ts';
import { createRequestLog } from '@diq/queue/requests/transition-log.ts';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { listen } from '@diq/runtime/http-server/http-server.ts';
import type { ServiceContext } from '@diq/runtime/processes/run-service.ts';
import { noTracing, type Tracing } from '@diq/runtime/tracing/tracing.ts';
import { within } from '@diq/runtime/async/with-timeout.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { createApp } from './app.ts';
import { withBackPressure } from './submission/admission-control.ts';
import { createBodyBudget } from './http/body-budget.ts';
import { openCallbacks, type CallbackTiming, type OpenCallbacksOptions } from './callbacks/open-callbacks.ts';
import { createForecastCompletion } from './estimates/batch-completion.ts';
import type { IntakeSettings } from './config/config.ts';
import { createDescribeRequest } from './views/request-view.ts';
import { createQueueActions } from './queue-actions.ts';
import { createMemoryGuard } from './submission/memory-guard.ts';
import { createMetrics } from './observability/metrics.ts';
import { idempotencyTimes } from './submission/idempotency.ts';
import { openGuards, type OpenGuardsOptions } from './auth/open-auth.ts';
import { createDeadlineCheck } from './submission/deadline-check.ts';
import { createWorkerWatch, type QueueState } from './estimates/queue-state.ts';
import { createLedgerReading } from './estimates/forecast-start.ts';
import { startStatePoll } from './observability/state-poll.ts';
import { openStatus } from './status-page/open-status.ts';

interface OpenIntakeOptions extends OpenGuardsOptions {
  /** Ends the process because of an error from which it cannot recover. */
  fail: ServiceContext['fail'];
  /** How long a start waits for Redis before it answers without it. */
  waitForRedisMs?: number;
  /** How old the quota may be that status answers are reckoned from: polling must not multiply readings. */
  ledgerMaxAgeMs?: number;
  pollIntervalMs?: number;
  /** Tells how long workers stand still; one that only runs forward. */
  workerClockMs?: () => number;
  callbackTiming?: Partial<CallbackTiming>;
  callbackConnection?: OpenCallbacksOptions['connection'];
  tracing?: Tracing;
}

/** With Redis away, the last lines are written without what it knows of their requests. */
const finishLogMs = 1_000;

/** Opens the intake API, saying how each part closes. Resolves when it answers, with Redis or without. */
export async function openIntake(options: OpenIntakeOptions): Promise<{ port: number }> {
  const {
    settings,
    logger,
    lifecycle,
    waitForRedisMs = 1_000,
    ledgerMaxAgeMs = 250,
    pollIntervalMs = 1_000,
    tracing = noTracing,
  } = options;
  const { keySpace } = settings;
  const { guards, keys, onKeysChanged } = openGuards(options);

  const redis = openFailFastConnection({ address: settings.redisAddress, name: 'diq-intake', logger });
  lifecycle.onClose('redis', () => closeRedis(redis));
  // The connection logs its own troubles; the queue repeats them.
  const jobs = createJobQueue(redis, keySpace, (error) => logger.debug({ err: error }, 'queue error'));
  lifecycle.onClose('queue', () => jobs.close());
  const requestLog = createRequestLog(redis, keySpace, logger);
  lifecycle.onClose('request log', () => within(requestLog.close(), finishLogMs));
  await waitUntilReady(redis, waitForRedisMs)
    .then(() => claimLayout(redis, keySpace))
    .catch((error: unknown) => {
      if (error instanceof LayoutError) throw error;
      logger.warn('Redis is unavailable, starting without it');
    });
  watchLayout(redis, keySpace, (error) => options.fail(error, 'Redis holds another layout'));

  const { reader, ledgerSnapshot, readState, workerReport } = createReadings(redis, settings, {
    ...options,
    ledgerMaxAgeMs,
  });
  const metrics = createMetrics();
  const memory = createMemoryGuard(redis, settings.backPressure, logger);
  const actions = createQueueActions({ ...settings, redis, jobs, onMoved: requestLog.moved });
  const status = openStatus({
    settings,
    redis,
    keys,
    onKeysChanged,
    actions,
    readState,
    logger,
    lifecycle,
  });
  const stopPoll = startStatePoll({
    async readState() {
      const [state] = await Promise.all([readState(), memory.refresh()]);
      metrics.showMemory(memory.usedShare());
      return state;
    },
    metrics,
    onState: (state) => status.stateFeed.show(state),
    intervalMs: pollIntervalMs,
    onFailure(error) {
      status.stateFeed.fail();
      logger.warn({ err: error }, 'queue and quota cannot be read');
    },
    onRecovery: () => logger.info('queue and quota can be read again'),
  });
  lifecycle.onClose('state poll', stopPoll);

  const profile = profileOf(settings.operation);
  const callbackRule = openCallbacks({
    settings,
    redis,
    reader,
    registry: metrics.registry,
    logger,
    lifecycle,
    timing: options.callbackTiming,
    connection: options.callbackConnection,
  });
  const app = createApp({
    logger,
    metrics,
    tracing,
    callbackRule,
    ...guards,
    ...status,
    bodyBudget: createBodyBudget(),
    idempotency: createIdempotencyStore(redis, keySpace, idempotencyTimes),
    intake: withBackPressure(createRequestIntake({ ...settings, sharing: profile, redis, jobs }), {
      settings: settings.backPressure,
      room: createBacklogRoom(redis, keySpace),
      memory,
      ledgerSnapshot,
      tracing,
    }),
    reader,
    readState,
    workerReport,
    actions,
    describeRequest: createDescribeRequest(ledgerSnapshot),
    forecastCompletion: createForecastCompletion(
      createBatchTailReader(redis, keySpace, jobs),
      ledgerSnapshot,
    ),
    deadlineCheck: createDeadlineCheck(
      createDryRun(redis, keySpace, jobs, { ...settings, sharing: profile }),
      ledgerSnapshot,
    ),
    operation: settings.operation,
    itemRules: itemRulesOf(profile),
    probeWrite: createWriteProbe(redis, keySpace, { evenFull: false }),
    describeMemory: memory.describe,
    closing: lifecycle.closing,
  });
  const server = await listen(app, {
    logger,
    port: settings.port,
    portSetting: 'INTAKE_PORT',
    ...(settings.host === undefined ? {} : { host: settings.host }),
  });
  lifecycle.onClose('http server', () => server.close());
  return { port: server.port };
}

/** What is read of requests, queue and quota. */
function createReadings(
  redis: ReturnType<typeof openFailFastConnection>,
  { keySpace, ledger: ledgerSettings, reserveForCritical }: IntakeSettings,
  { ledgerMaxAgeMs, workerClockMs }: { ledgerMaxAgeMs: number; workerClockMs?: () => number },
) {
  const ledger = createLedger(redis, keySpace, ledgerSettings);
  const reader = createRequestReader(redis, keySpace);
  const workerWatch = createWorkerWatch(workerClockMs);
  const { snapshot, snapshotOrRecall } = createLedgerReading({
    snapshot: () => ledger.snapshot(),
    countCriticalWaiting: () => reader.countWaitingOf('critical'),
    reserveForCritical,
    maxAgeMs: ledgerMaxAgeMs,
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
