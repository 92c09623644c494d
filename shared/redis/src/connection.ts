import { Redis, type RedisOptions } from 'ioredis';
import { describeRedisTrouble } from './is-unavailable.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { sendTogether } from './ioredis-send-together.ts';
import { parseRedisUrl } from './redis-url.ts';

export { parseRedisUrl, redisUrl, type RedisAddress } from './redis-url.ts';

/** Where Redis is. One node by URL for now; Sentinel and Cluster would be further members of this union. */
export interface RedisSettings {
  readonly url: string;
}

/** One connection to be opened. */
export interface ConnectionOptions {
  readonly settings: RedisSettings;
  /** Seen in `CLIENT LIST` and in the log. */
  readonly name: string;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

/** A connection whose commands give up by themselves. */
export interface BoundedConnectionOptions extends ConnectionOptions {
  /** After this long without a reply a command fails; whether it was carried out is then not known. Default 1500 ms. */
  readonly commandTimeoutMs?: number;
}

/**
 * For those who put work in and must answer soon: while Redis is away, every command fails within the command
 * timeout, and mostly at once. Nothing is queued or sent again behind the caller's back.
 */
export function openProducerConnection(options: BoundedConnectionOptions): Redis {
  return connect(options, failFast(options.commandTimeoutMs));
}

/** For BullMQ workers, which wait in blocking commands: commands wait for Redis to come back, however long. */
export function openBlockingConnection(options: ConnectionOptions): Redis {
  return connect(options, { maxRetriesPerRequest: null });
}

/**
 * For the limiter and the ledger, whose scripts spend permits: a command is sent at most once, fails at once when the
 * connection is lost, and never runs late out of a queue.
 */
export function openLedgerConnection(options: BoundedConnectionOptions): Redis {
  return connect(options, failFast(options.commandTimeoutMs));
}

/**
 * Resolves once commands can be sent.
 *
 * @throws Error when that takes longer than `timeoutMs`, or the connection was closed meanwhile.
 */
export async function waitUntilReady(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  const name = redis.options.connectionName ?? 'redis';
  const { promise, resolve, reject } = deferred();
  const onEnd = (): void => reject(new Error(`Redis connection ${name} was closed before it was ready`));
  const timer = setTimeout(
    () => reject(new Error(`Redis not ready within ${timeoutMs} ms (${name})`)),
    timeoutMs,
  );
  redis.once('ready', resolve);
  redis.once('end', onEnd);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    redis.off('ready', resolve);
    redis.off('end', onEnd);
  }
}

/** Closes a connection: politely if Redis answers within a second, else by dropping it. Never rejects or hangs. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'end') return;
  const { promise: ended, resolve } = deferred();
  redis.once('end', resolve);
  const disconnect = (): void => redis.disconnect();
  const drop = setTimeout(disconnect, 1_000);
  const giveUp = setTimeout(resolve, 2_000);
  if (redis.status === 'ready') {
    // Its reply says that all earlier ones are in. Refused (connection lost, timed out), the socket is still dropped.
    redis.quit().then(disconnect, disconnect);
  } else {
    // Between two attempts there is no socket to drop, so nothing would end and waiting commands would wait for ever.
    if (redis.status === 'reconnecting') redis.connect().catch(() => undefined);
    disconnect();
  }
  await ended;
  clearTimeout(drop);
  clearTimeout(giveUp);
}

// `replyMapping` would change the type of every reply, and so of the connection itself.
type Behaviour = Omit<RedisOptions, 'replyMapping'>;

// The one place that decides how a connection is made out of the settings.
function connect(options: ConnectionOptions, behaviour: Behaviour): Redis {
  const { tls, ...address } = parseRedisUrl(options.settings.url);
  const redisOptions: Behaviour = {
    ...address,
    // No switch of Node's own turns the check of certificates off.
    ...(tls ? { tls: { rejectUnauthorized: true } } : {}),
    connectionName: options.name,
    connectTimeout: 5_000,
    // For a server that hangs and never closes its side.
    disconnectTimeout: 500,
    keepAlive: 10_000,
    // A server that loads its data is asked again this soon, not when it expects to be done.
    maxLoadingRetryTime: 1_000,
    // Quick at first, for a restart; never above 2 s, so that an idle worker is back soon after a long outage.
    retryStrategy: (attempt) => Math.min(100 * 2 ** Math.min(attempt - 1, 10), 2_000),
    // After a failover the old primary still answers, but refuses writes: find the new one. 1 = reconnect without
    // sending the command again; some servers carry the code inside the text of a script's error.
    reconnectOnError: (error) => (error.message.includes('READONLY') ? 1 : false),
    ...behaviour,
  };
  const redis = new Redis(redisOptions);
  redis.on('connect', () => sendTogether(redis.stream));
  logStateChanges(redis, options);
  return redis;
}

function failFast(commandTimeoutMs = 1_500): Behaviour {
  // No retries: with even one, a command in flight when the connection breaks is sent a second time, and one that
  // timed out can still be carried out after its caller got an error.
  return { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: commandTimeoutMs };
}

// An outage brings an error at each attempt to connect; the log gets one line for its start and one for its end.
function logStateChanges(redis: Redis, { name, logger }: ConnectionOptions): void {
  let lostAtMs: number | undefined;
  const lost = (error?: Error): void => {
    if (lostAtMs !== undefined) return;
    lostAtMs = Date.now();
    const facts = error && { err: error, redis: describeRedisTrouble(error) };
    logger.warn({ connection: name, ...facts }, 'redis lost');
  };
  redis.on('error', lost);
  redis.on('reconnecting', () => lost());
  redis.on('ready', () => {
    if (lostAtMs === undefined) return;
    logger.info({ connection: name, outageMs: Date.now() - lostAtMs }, 'redis back');
    lostAtMs = undefined;
  });
}

function deferred() {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
