import { Redis, type Cluster, type RedisOptions } from 'ioredis';
import { describeRedisTrouble } from './is-unavailable.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { openCluster } from './cluster-connection.ts';
import { sendTogether } from './ioredis-send-together.ts';
import type { HostAndPort, RedisAccess, RedisAddress, RedisBehindSentinels } from './redis-address.ts';
import { followPrimary } from './sentinel-watch.ts';

/**
 * What commands are given to: one server, wherever it is after a failover, or all of a Redis Cluster. A command, a script
 * or a pipeline names keys of one key space only, which one server holds.
 */
export type RedisConnection = Redis | Cluster;

/** One connection to be opened. */
export interface ConnectionOptions {
  readonly address: RedisAddress;
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
): RedisConnection {
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
export function openBlockingConnection(options: ConnectionOptions): RedisConnection {
  return connect(options, { maxRetriesPerRequest: null });
}

/**
 * Resolves once commands can be sent.
 *
 * @throws Error when that takes longer than `timeoutMs`, or the connection was closed meanwhile.
 */
export async function waitUntilReady(redis: RedisConnection, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  const name = connectionName(redis);
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
export async function closeRedis(redis: RedisConnection): Promise<void> {
  if (redis.status === 'end') return;
  const { promise: ended, resolve } = deferred();
  redis.once('end', resolve);
  const disconnect = (): void => redis.disconnect();
  const drop = setTimeout(disconnect, 1_000);
  const giveUp = setTimeout(resolve, 2_000);
  if (redis.status === 'ready') {
    // Its reply says that all earlier ones are in. Refused (connection lost, timed out), the socket is still dropped.
    void Promise.allSettled(socketsOf(redis).map((socket) => socket.quit())).then(disconnect);
  } else {
    // Between two attempts there is no socket to drop, so nothing would end and waiting commands would wait for ever.
    if (redis.status === 'reconnecting') redis.connect().catch(() => undefined);
    disconnect();
  }
  await ended;
  clearTimeout(drop);
  clearTimeout(giveUp);
}

/** Those that are connected: a Redis Cluster's are connected when they are used. */
function socketsOf(redis: RedisConnection): Redis[] {
  return isCluster(redis) ? redis.nodes().filter((node) => node.status === 'ready') : [redis];
}

/** Calls back each time that a server can be used: at first, after an outage, after a failover. */
export function onServerReady(redis: RedisConnection, listener: () => void): void {
  redis.on('ready', listener);
  if (!isCluster(redis)) return;
  for (const node of redis.nodes()) node.on('ready', listener);
  redis.on('+node', (node: Redis) => node.on('ready', listener));
}

/** Another one like it, with sockets of its own. */
export function duplicateConnection(redis: RedisConnection): RedisConnection {
  return isCluster(redis) ? redis.duplicate() : redis.duplicate();
}

/** As it was opened with, for logs. */
export function connectionName(redis: RedisConnection): string {
  const options = isCluster(redis) ? redis.options.redisOptions : redis.options;
  return options?.connectionName ?? 'redis';
}

export function isCluster(redis: RedisConnection): redis is Cluster {
  return redis.isCluster;
}

// `replyMapping` would change the type of every reply, and so of the connection itself.
type Behaviour = Omit<RedisOptions, 'replyMapping'>;

// The one place that decides how a connection is made out of the settings.
function connect(options: ConnectionOptions, behaviour: Behaviour): RedisConnection {
  const { address, name } = options;
  const shared = { ...accessTo(address), connectionName: name, ...socketBehaviour };
  if (address.kind === 'cluster') return connectCluster(address.nodes, options, { ...shared, ...behaviour });
  const redis = new Redis({
    ...placeOf(address),
    ...shared,
    // A server that loads its data is asked again this soon, not when it expects to be done.
    maxLoadingRetryTime: 1_000,
    retryStrategy,
    // After a failover the old primary still answers, but refuses writes: find the new one. 1 = reconnect without
    // sending the command again; some servers carry the code inside the text of a script's error.
    reconnectOnError: (error) => (error.message.includes('READONLY') ? 1 : false),
    ...behaviour,
  });
  if (address.kind === 'sentinels') followPrimary(redis, address, accessToSentinels(address));
  redis.on('connect', () => sendTogether(redis.stream));
  logStateChanges(redis, options);
  return redis;
}

function connectCluster(
  nodes: readonly HostAndPort[],
  options: ConnectionOptions,
  { enableOfflineQueue, commandTimeout, ...nodeOptions }: Behaviour,
): Cluster {
  const failsFast = enableOfflineQueue === false;
  // A command that a node refused because it has the slot no longer, or not yet, was not carried out: it may be sent again.
  // One whose connection broke may have been.
  const resend = failsFast
    ? { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0, maxRedirections: 16 }
    : {
        retryDelayOnFailover: 200,
        retryDelayOnClusterDown: 200,
        maxRedirections: Infinity,
        retryDelayOnMoved: 50,
      };
  const states = createStateLog(options, 'node');
  const cluster = openCluster(nodes, {
    ...resend,
    // Until the nodes are known. BullMQ and Bottleneck would refuse everything for good for the first one that is refused;
    // the time that a command may take holds there too.
    enableOfflineQueue: true,
    commandTimeoutMs: commandTimeout,
    clusterRetryStrategy: retryStrategy,
    slotsRefreshTimeout: 1_500,
    slotsRefreshInterval: 5_000,
    // Names in certificates are those that the nodes are announced by, so they are not looked up here.
    dnsLookup: (host, callback) => callback(null, host),
    redisOptions: { ...nodeOptions },
    onNode: (node, name) => node.on('ready', () => states.back(name)),
  });
  cluster.on('node error', (error: Error, name: string) => states.lost(name, error));
  logStateChanges(cluster, options);
  return cluster;
}

const socketBehaviour = {
  connectTimeout: 5_000,
  // For a server that hangs and never closes its side.
  disconnectTimeout: 500,
  keepAlive: 10_000,
};

/** Quick at first, for a restart; never above 2 s, so that an idle worker is back soon after a long outage. */
const retryStrategy = (attempt: number): number => Math.min(100 * 2 ** Math.min(attempt - 1, 10), 2_000);

function accessTo({ username, password, tls }: RedisAccess) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    // No switch of Node's own turns the check of certificates off.
    ...(tls ? { tls: { rejectUnauthorized: true } } : {}),
  };
}

function accessToSentinels({ sentinelPassword: password, tls }: RedisBehindSentinels) {
  return {
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: { rejectUnauthorized: true } } : {}),
  };
}

function placeOf(address: Exclude<RedisAddress, { kind: 'cluster' }>): Behaviour {
  const { db, tls } = address;
  if (address.kind === 'node') return { db, host: address.host, port: address.port };
  const { sentinels, name, sentinelPassword } = address;
  return {
    db,
    sentinels: [...sentinels],
    name,
    role: 'master',
    sentinelRetryStrategy: retryStrategy,
    sentinelCommandTimeout: 1_500,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: { rejectUnauthorized: true } } : {}),
  };
}

/** Why the last attempt to connect failed. */
const lastTrouble = new WeakMap<RedisConnection, string>();

/**
 * `describeRedisTrouble` for a command on a connection: where it could not be sent, why there is no connection, such as a
 * password that is refused.
 */
export function describeTroubleOn(redis: RedisConnection, error: unknown): string {
  const refused =
    error instanceof Error && (error.name === 'ReplyError' || error.name === 'NotReplicatedError');
  return (refused ? undefined : lastTrouble.get(redis)) ?? describeRedisTrouble(error);
}

/** Why there is no connection now, if an attempt failed; one to a Redis Cluster lets commands wait meanwhile. */
export function connectionTrouble(redis: RedisConnection): string | undefined {
  return redis.status === 'ready' ? undefined : lastTrouble.get(redis);
}

function logStateChanges(redis: RedisConnection, options: ConnectionOptions): void {
  const states = createStateLog(options);
  redis.on('error', (error: Error) => {
    lastTrouble.set(redis, describeRedisTrouble(error));
    states.lost('', error);
  });
  redis.on('reconnecting', () => states.lost(''));
  redis.on('ready', () => {
    lastTrouble.delete(redis);
    states.back('');
  });
}

/**
 * An outage brings an error at each attempt to connect; the log gets one line for its start and one for its end.
 *
 * @param field the name in the log of what is lost or back, where there are several
 */
function createStateLog({ name: connection, logger }: ConnectionOptions, field?: 'node') {
  const lostAtMs = new Map<string, number>();
  const about = (name: string) => ({ connection, ...(field === undefined ? {} : { [field]: name }) });
  return {
    lost(name: string, error?: Error): void {
      if (lostAtMs.has(name)) return;
      lostAtMs.set(name, Date.now());
      const facts = error && { err: error, redis: describeRedisTrouble(error) };
      logger.warn({ ...about(name), ...facts }, 'redis lost');
    },
    back(name: string): void {
      const sinceMs = lostAtMs.get(name);
      if (sinceMs === undefined) return;
      logger.info({ ...about(name), outageMs: Date.now() - sinceMs }, 'redis back');
      lostAtMs.delete(name);
    },
  };
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
