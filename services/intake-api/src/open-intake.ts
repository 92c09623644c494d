import { isDeepStrictEqual } from 'node:util';
import { LayoutError } from '@diq/queue/layout.ts';
import { createBusyQueueCheck } from '@diq/queue/operations/open-requests.ts';
import { queueTagIn } from '@diq/contracts/queue-tag.ts';
import { listen } from '@diq/runtime/http-server/http-server.ts';
import { createReadingPace } from '@diq/runtime/async/memoize.ts';
import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { ServiceContext } from '@diq/runtime/processes/run-service.ts';
import { noTracing, type Tracing } from '@diq/runtime/tracing/tracing.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { queuesOf, type Queue } from '@diq/tenants/tenant.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { createApp } from './app.ts';
import { createSessionStore } from './auth/session-store.ts';
import { createPersonSessions } from './auth/person-sessions.ts';
import { createKeyTenantCheck } from './auth/keys-without-tenant.ts';
import { openGuards, type OpenGuardsOptions } from './auth/open-auth.ts';
import { openCallbacks, type CallbackTiming, type OpenCallbacksOptions } from './callbacks/open-callbacks.ts';
import { openFrontDoor } from './front-door/open-front-door.ts';
import { openMcp } from './mcp/open-mcp.ts';
import { createBodyBudget } from './http/body-budget.ts';
import { createMetrics, type IntakeMetrics } from './observability/metrics.ts';
import { createReadyCheck } from './observability/ready-check.ts';
import type { QueueState } from './estimates/queue-state.ts';
import { startStatePoll, type PolledQueue } from './observability/state-poll.ts';
import { createBusyQueues } from './queues/busy-queues.ts';
import { createLayoutGuard, type LayoutGuard } from './queues/layout-guard.ts';
import { openQueue, type OpenQueue } from './queues/open-queue.ts';
import { createQueueReach } from './observability/queue-reach.ts';
import { createShownSeries } from './queues/shown-series.ts';
import { createQueueDirectory, type QueueDirectory } from './queues/queue-directory.ts';
import { watchTenantsFile } from './queues/watch-tenants-file.ts';
import { createMemoryByServer, type MemoryByServer } from './submission/memory-by-server.ts';

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

/** Opens the intake API, saying how each part closes. Resolves when it answers, with Redis or without. */
export async function openIntake(given: OpenIntakeOptions): Promise<{ port: number }> {
  const { proxy } = given.settings;
  const options = {
    ...given,
    entra: { proxy, ...given.entra },
    callbackConnection: { proxy, ...given.callbackConnection },
  };
  const { settings, logger, lifecycle, tracing = noTracing } = options;
  const directory = createQueueDirectory(settings.tenants);
  const { guards, entra, keys, onKeysChanged } = openGuards(options);
  const metrics = createMetrics();
  const redis = openFailFastConnection({ address: settings.redisAddress, name: 'diq-intake', logger });
  lifecycle.onClose('redis', () => closeRedis(redis));
  const submitting = openSubmitting(redis, options);
  const [first] = directory.queues();
  const memory = createMemoryByServer(redis, directory.queues, settings.backPressure, logger);
  const layouts = openLayoutGuard(options, redis, directory);
  const queues = openQueues(options, { directory, metrics, redis, submitting, memory, layouts });
  await checkLayout(options, redis, layouts);
  const checkKeyTenants = createKeyTenantCheck(keys, () => directory.present().length, logger);
  onKeysChanged(checkKeyTenants);
  const onChange = () => {
    queues.showSeries();
    checkKeyTenants();
  };
  watchTenantsFile(options, { directory, redis, onChange });

  // A stream of a removed key ends.
  onKeysChanged(() => queues.opened().forEach(({ parts }) => parts.stateFeed.endAll()));
  const callbackRule = openCallbacks({
    settings,
    // Of a single tenant they stand beside its requests.
    keySpace: settings.tenantsFile === undefined && first ? first.keySpace : 'diq:{callbacks}',
    redis,
    sources: () => queues.busy().map(sourceOf),
    sourceOf(id) {
      const queue = directory.byTag(queueTagIn(id));
      return queue && sourceOf(queues.open(queue));
    },
    registry: metrics.registry,
    logger,
    lifecycle,
    timing: options.callbackTiming,
    connection: options.callbackConnection,
  });
  const persons = entra && createPersonSessions(redis, entra.settings, entra.application);
  const app = createApp({
    logger,
    metrics,
    tracing,
    callbackRule,
    ...guards,
    sessions: settings.auth.kind === 'off' ? undefined : createSessionStore({ redis, keys, persons }),
    entraSignIn: entra?.signIn,
    frontDoor:
      settings.frontDoor &&
      openFrontDoor(settings.frontDoor, { redis, keys, entra: options.entra, lifecycle }),
    mcpRoute: await openMcp(settings.mcp, logger),
    bodyBudget: createBodyBudget(),
    directory,
    askQueue: (queue) => queues.ask(queue).parts,
    peekQueue: (queue) => queues.open(queue).parts,
    layouts,
    checkReady: createReadyCheck({
      reach: createQueueReach(submitting, () => directory.queues(), {
        waitReplicas: settings.waitReplicas,
        foreign: layouts.foreign,
      }),
      fullServers: memory.full,
      workerReports: () =>
        queues.opened().map(({ queue, workerReport }) => ({
          queue,
          report: workerReport(),
          isAccepting: directory.isAccepting(queue),
        })),
      closing: lifecycle.closing,
    }),
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

/**
 * Where replicas are waited for, requests are recorded on a connection of their own: what is read does not wait with them.
 */
function openSubmitting(
  redis: RedisConnection,
  { settings, logger, lifecycle }: OpenIntakeOptions,
): RedisConnection {
  if (settings.waitReplicas === 0) return redis;
  const own = openFailFastConnection({ address: settings.redisAddress, name: 'diq-intake-submit', logger });
  lifecycle.onClose('redis for submissions', () => closeRedis(own));
  return own;
}

const sourceOf = ({ queue: { keySpace }, parts: { reader } }: OpenQueue) => ({ keySpace, reader });

interface Shared {
  directory: QueueDirectory;
  metrics: IntakeMetrics;
  redis: RedisConnection;
  submitting: RedisConnection;
  memory: MemoryByServer;
  layouts: LayoutGuard;
}

/** Of all queues together, a second: what answers about single requests are reckoned from. More only where readings have become too old. */
const readingsPerSecond = { ledger: 50, sample: 5 };
/** A sample shows what is ahead, which changes slowly; the quota says when a call is expected, and whether there is a pause. */
const mostAgesOfSample = 15;

/** The queues that this process works with. Each is opened when it is needed first, and stays open. */
function openQueues(
  options: OpenIntakeOptions,
  { directory, metrics, redis, submitting, memory, layouts }: Shared,
) {
  const { settings, logger, lifecycle, tracing = noTracing, workerClockMs } = options;
  const { ledgerMaxAgeMs = 1_000, pollIntervalMs: intervalMs = 1_000 } = options;
  const opened = new Map<string, OpenQueue>();
  const replaced: OpenQueue[] = [];
  const shared = {
    settings,
    redis,
    submitting,
    logger,
    tracing,
    metrics,
    memory,
    ledgerMaxAgeMs,
    paces: {
      ledger: createReadingPace(readingsPerSecond.ledger),
      sample: createReadingPace(readingsPerSecond.sample, mostAgesOfSample),
    },
    workerClockMs,
  };

  function open(queue: Queue): OpenQueue {
    const known = opened.get(queue.tag);
    if (known && (known.queue === queue || isDeepStrictEqual(known.queue, queue))) return known;
    if (known) {
      // Its limits or the tenant's name changed in the file. Requests that are being handled end with what they began with.
      known.parts.stateFeed.endAll();
      replaced.push(known);
    }
    const made = openQueue(queue, shared);
    opened.set(queue.tag, made);
    return made;
  }

  const hasWork = createBusyQueueCheck(redis);
  const isListenedTo = ({ tag }: Queue) => opened.get(tag)?.parts.stateFeed.isListenedTo() ?? false;
  const busy = createBusyQueues({ queues: directory.queues, hasWork, isListenedTo, intervalMs });
  const series = createShownSeries({ directory, layouts, busy, hasWork, metrics });

  function saw(queue: PolledQueue['queue'], state: QueueState): void {
    busy.saw(queue, state);
    series.saw(queue, state);
  }

  series.show();
  lifecycle.onClose('queues', async () => {
    await Promise.all([...opened.values(), ...replaced].map((queue) => queue.close()));
  });
  // Listeners keep the HTTP server open.
  const endStreams = () => opened.forEach(({ parts }) => parts.stateFeed.close());
  lifecycle.closing.addEventListener('abort', endStreams, { once: true });
  // A connection that is being made is no outage.
  const connected = waitUntilReady(redis, options.waitForRedisMs ?? 1_000).catch(() => undefined);
  const stopPoll = startStatePoll({
    async due() {
      await connected;
      return (await busy.due()).filter((queue) => !layouts.isForeign(queue)).map(open);
    },
    onState: saw,
    onComplete: metrics.noteReading,
    intervalMs,
    onFailure: (error, queues) => logger.warn({ err: error, queues }, 'queue and quota cannot be read'),
    onRecovery: () => logger.info('queue and quota can be read again'),
  });
  lifecycle.onClose('state poll', stopPoll);
  const readMemory = async () => {
    await memory.refresh();
    metrics.showMemory(memory.usedShare());
  };
  const onFailure = (error: unknown) => logger.warn({ err: error }, 'the memory of Redis cannot be read');
  lifecycle.onClose('memory of Redis', repeat(intervalMs, readMemory, onFailure));
  return {
    open,
    /** For a request that changes something in it: it is read again and again for a while. */
    ask(queue: Queue): OpenQueue {
      busy.mark(queue);
      return open(queue);
    },
    opened: () => [...opened.values()],
    busy: () =>
      busy
        .busy()
        .filter((queue) => !layouts.isForeign(queue))
        .map(open),
    showSeries: series.show,
  };
}

/** Ends the process when another version holds all queues; of some, the others are served. */
function openLayoutGuard(
  { logger, fail }: OpenIntakeOptions,
  redis: RedisConnection,
  directory: QueueDirectory,
): LayoutGuard {
  return createLayoutGuard({
    redis,
    logger,
    onForeign(error, foreign) {
      if (foreign.length === directory.queues().length) fail(error, 'Redis holds another layout');
    },
  });
}

/**
 * Claims the layout of queues that are there at the start; of many, of some: any other one's when it is asked about first.
 *
 * @throws LayoutError where all of them are of another version
 */
async function checkLayout(
  { settings, logger, waitForRedisMs = 1_000 }: OpenIntakeOptions,
  redis: RedisConnection,
  layouts: LayoutGuard,
): Promise<void> {
  const asked = settings.tenants.flatMap(queuesOf).slice(0, checkedAtStart);
  const errors: unknown[] = await waitUntilReady(redis, waitForRedisMs).then(
    async () => {
      const claims = await Promise.allSettled(asked.map((queue) => layouts.claim(queue)));
      return claims.flatMap((claim) => (claim.status === 'rejected' ? [claim.reason] : []));
    },
    (error: unknown) => [error],
  );
  const foreign = errors.filter((error) => error instanceof LayoutError);
  if (foreign[0] && foreign.length === asked.length) throw foreign[0];
  if (errors.length > foreign.length) logger.warn('Redis is unavailable, starting without it');
}

const checkedAtStart = 100;
