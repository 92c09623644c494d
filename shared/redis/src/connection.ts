import { Redis, type RedisOptions } from 'ioredis';
import { describeRedisTrouble } from './is-unavailable.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { sendTogether } from './ioredis-send-together.ts';
import { parseRedisUrl } from './redis-url.ts';

/** One connection to be opened. */
export interface ConnectionOptions {
  /** One node, see `redis-url.ts`. */
  readonly url: string;
  /** Seen in `CLIENT LIST` and in the log. */
  readonly name: string;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

/**
 * For those who must answer soon, and for the limiter and the ledger, whose scripts spend permits: a command is sent at
 * most once, fails at once when the connection is lost, and never runs late out of a queue.
 *
 * @param options.commandTimeoutMs after this long without a reply a command fails; whether it was carried out is then not
 * known. Default 1500 ms
 */
export function openFailFastConnection(
  options: ConnectionOptions & { readonly commandTimeoutMs?: number },
): Redis {
  // No retries: with even one, a command in flight when the connection breaks is sent a second time, and one that
  // timed out can still be carried out after its caller got an error.
  const { commandTimeoutMs = 1_500 } = options;
  return connect(options, {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    commandTimeout: commandTimeoutMs,
  });
}

/** For BullMQ workers, which wait in blocking commands: commands wait for Redis to come back, however long. */
export function openBlockingConnection(options: ConnectionOptions): Redis {
  return connect(options, { maxRetriesPerRequest: null });
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
  const { tls, ...address } = parseRedisUrl(options.url);
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
