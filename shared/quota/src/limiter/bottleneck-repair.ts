import type Bottleneck from 'bottleneck';
import { isCluster, type RedisConnection } from '@diq/redis/connection.ts';

type Callback = (error: Error | null, reply?: unknown) => void;
interface ScriptSource {
  __scriptFn__(name: string): (...args: unknown[]) => unknown;
}
interface Subscribing {
  subscriber: RedisConnection;
  /** By channel. */
  limiters: Record<string, unknown>;
}
interface JobStore {
  _dropAllQueued(): void;
  _scheduled: Record<
    string,
    { timeout?: NodeJS.Timeout; expiration?: NodeJS.Timeout; job: { options: { id: string } } }
  >;
}

/** Codes that Bottleneck recognises only when they are the whole error text. */
const prefixedCode = /^ERR (?=SETTINGS_KEY_NOT_FOUND|UNKNOWN_CLIENT|OVERWEIGHT)/;

/**
 * Bottleneck 2.19 repairs itself after a loss of its state by comparing error texts exactly. Redis 7 and Valkey put
 * `ERR ` in front of a script's errors, so it would stay broken for the life of the process (SGrondin/bottleneck#205).
 * This strips the prefix from those codes before Bottleneck sees them.
 */
export function repairAfterStateLoss(connection: Bottleneck.IORedisConnection): void {
  const source = connection as unknown as ScriptSource;
  const original = source.__scriptFn__.bind(connection);
  source.__scriptFn__ = (name) => {
    const script = original(name);
    return (...args) => {
      const callback = args.pop() as Callback;
      return script(...args, (error: Error | null, reply: unknown) => {
        if (error) error.message = error.message.replace(prefixedCode, '');
        callback(error, reply);
      });
    };
  };
}

const callersClock = 'local now = tonumber(ARGV[1])';
const serversClock =
  "local time = redis.call('TIME')\nlocal now = time[1] * 1000 + math.floor(time[2] / 1000)";

/**
 * Bottleneck's scripts go by their caller's clock and keep times that all callers go by. One process whose clock is ten
 * minutes ahead would leave `nextRequest` ten minutes ahead, and no other process would get a permit before that; and it would
 * take all leases for over. This gives them the clock of Redis.
 *
 * @param client before Bottleneck defines its scripts on it
 * @throws Error when a script is not what it was when this was written
 */
export function goByServerClock(client: RedisConnection): RedisConnection {
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    if (!definition.lua.includes(callersClock))
      throw new Error(`Bottleneck's script ${name} has another clock`);
    define(name, { ...definition, lua: definition.lua.replace(callersClock, serversClock) });
  };
  return client;
}

/**
 * After a reconnect ioredis subscribes again, and where that connection is lost too it rejects a promise that no code
 * holds, which ends the process, and it forgets the channels. This subscribes in its place, at every reconnect.
 */
export function resubscribeAtReconnect(
  connection: Bottleneck.IORedisConnection,
  onError: (error: unknown) => void,
): void {
  const subscribing = connection as unknown as Subscribing;
  // In a Redis Cluster ioredis takes care of it.
  if (isCluster(subscribing.subscriber)) return;
  subscribing.subscriber.options.autoResubscribe = false;
  subscribing.subscriber.on('ready', () => {
    const channels = Object.keys(subscribing.limiters);
    if (channels.length > 0) subscribing.subscriber.subscribe(...channels).catch(onError);
  });
}

/**
 * Bottleneck decides in two steps whether a job may run, and between them another process may take the last slot. Then
 * it keeps the job waiting, although `highWater: 0` asks it to keep none, and from then on every later one behind
 * it. This drops the job as soon as the second step was refused.
 */
export function dropLostRaces(limiter: Bottleneck): void {
  limiter.on('debug', (message: string, data: unknown) => {
    const isRefused = message.startsWith('Drained ') && (data as { success?: boolean }).success === false;
    // Emitted while it still holds the lock of its queue: no waiting job can be on its way into a slot now.
    if (isRefused) (limiter as unknown as JobStore)._dropAllQueued();
  });
}

/**
 * Takes a limiter off a connection that others go on using, and ends its heartbeat. Bottleneck's own way leaves a promise that
 * no code holds, whose rejection would end the process while Redis is away.
 */
export function takeOff(
  limiter: Bottleneck,
  connection: Bottleneck.IORedisConnection,
  onError: (error: unknown) => void,
): void {
  clearInterval((limiter as unknown as { _store: { heartbeat?: NodeJS.Timeout } })._store.heartbeat);
  const { limiters, subscriber } = connection as unknown as Subscribing;
  const own = Object.keys(limiters).filter((channel) => limiters[channel] === limiter);
  for (const channel of own) delete limiters[channel];
  if (own.length > 0 && subscriber.status === 'ready') subscriber.unsubscribe(...own).catch(onError);
}

/** Forgets the timers of running jobs, which would keep a process alive for one whole lease; Redis keeps the leases. */
export function clearJobTimers(limiter: Bottleneck): void {
  for (const { timeout, expiration } of Object.values((limiter as unknown as JobStore)._scheduled)) {
    clearTimeout(timeout);
    clearTimeout(expiration);
  }
}

/**
 * Takes away the time limit of a running job in this process: what is to end it is its lease in Redis, which changes
 * while it runs.
 */
export function keepRunning(limiter: Bottleneck, jobId: string): void {
  for (const { expiration, job } of Object.values((limiter as unknown as JobStore)._scheduled)) {
    if (job.options.id === jobId) clearTimeout(expiration);
  }
}

/**
 * Where in Redis the lease of a running job ends, and under which name. Bottleneck sets it once, when the job starts and
 * it is unknown how long its call will take.
 */
export function leaseOf(limiter: Bottleneck, jobId: string): { key: string; member: string } | undefined {
  const { _scheduled: running } = limiter as unknown as JobStore;
  const member = Object.keys(running).find((index) => running[index]?.job.options.id === jobId);
  return member === undefined ? undefined : { key: `b_${limiter.id}_job_expirations`, member };
}
