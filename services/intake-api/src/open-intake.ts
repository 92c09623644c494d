import { createRequestIntake } from '@diq/queue/accept-requests.ts';
import { createRequestReader } from '@diq/queue/read-requests.ts';
import { createLedger } from '@diq/quota/ledger.ts';
import { listen } from '@diq/runtime/http-server.ts';
import type { Lifecycle } from '@diq/runtime/lifecycle.ts';
import type { Logger } from '@diq/runtime/logger.ts';
import { closeRedis, openProducerConnection, waitUntilReady } from '@diq/runtime/redis.ts';
import { createKeyRing } from './api-keys.ts';
import { createApp } from './app.ts';
import { cachedReading } from './cached-reading.ts';
import type { IntakeSettings } from './config.ts';
import { createDescribeRequest } from './describe-request.ts';
import { createMetrics } from './metrics.ts';
import { createTicketQueue } from '@diq/queue/ticket-queue.ts';
import type { QueueState } from './queue-state.ts';
import { startStatePoll } from './state-poll.ts';

interface OpenIntakeOptions {
  settings: IntakeSettings;
  logger: Logger;
  lifecycle: Lifecycle;
  /** How long a start waits for Redis before it answers without it. */
  waitForRedisMs?: number;
  /** How old the quota may be that status answers are reckoned from: polling must not multiply readings. */
  ledgerMaxAgeMs?: number;
  pollIntervalMs?: number;
}

/** Opens the intake API, saying how each part closes. Resolves when it answers, with Redis or without. */
export async function openIntake(options: OpenIntakeOptions): Promise<{ port: number }> {
  const {
    settings,
    logger,
    lifecycle,
    waitForRedisMs = 1_000,
    ledgerMaxAgeMs = 250,
    pollIntervalMs = 1_000,
  } = options;
  const { keySpace, retentionMs } = settings;
  if (settings.auth.kind === 'off')
    logger.warn('INTAKE_AUTH=off: everybody who reaches the port may do everything');

  const redis = openProducerConnection({ settings: { url: settings.redisUrl }, name: 'diq-intake', logger });
  lifecycle.onClose('redis', () => closeRedis(redis));
  // The connection logs its own troubles; the queue repeats them.
  const tickets = createTicketQueue(redis, keySpace, (error) => logger.debug({ err: error }, 'queue error'));
  lifecycle.onClose('queue', () => tickets.close());
  await waitUntilReady(redis, waitForRedisMs).catch(() => logger.warn('redis is away, starting without it'));

  const readings = createReadings(redis, settings, ledgerMaxAgeMs);
  const metrics = createMetrics();
  const poll = startStatePoll({
    readState: readings.readState,
    metrics,
    intervalMs: pollIntervalMs,
    onFailure: (error) => logger.warn({ err: error }, 'queue and quota cannot be read'),
    onRecovery: () => logger.info('queue and quota can be read again'),
  });
  lifecycle.onClose('state poll', () => poll.close());

  const app = createApp({
    logger,
    metrics,
    identify: settings.auth.kind === 'keys' ? createKeyRing(settings.auth.keys) : undefined,
    intake: createRequestIntake({ redis, keySpace, tickets, retentionMs }),
    reader: readings.reader,
    readState: readings.readState,
    describeRequest: createDescribeRequest({ tickets, lookAtLedger: readings.lookAtLedger }),
    operation: settings.operation,
    ping: () => redis.ping(),
    closing: lifecycle.closing,
  });
  const server = await listen(app, {
    port: settings.port,
    ...(settings.host === undefined ? {} : { host: settings.host }),
  });
  lifecycle.onClose('http server', () => server.close());
  return { port: server.port };
}

type Redis = ReturnType<typeof openProducerConnection>;

/** What is read of requests, queue and quota. */
function createReadings(
  redis: Redis,
  { keySpace, ledger: ledgerSettings }: IntakeSettings,
  ledgerMaxAgeMs: number,
) {
  const ledger = createLedger(redis, keySpace, ledgerSettings);
  const reader = createRequestReader(redis, keySpace);
  return {
    reader,
    lookAtLedger: cachedReading(() => ledger.look(), ledgerMaxAgeMs),
    async readState(): Promise<QueueState> {
      const [view, backlog] = await Promise.all([ledger.look(), reader.backlog()]);
      return { view, backlog };
    },
  };
}
