import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import {
  closeRedis,
  connectionName,
  openBlockingConnection,
  openFailFastConnection,
  waitUntilReady,
  type RedisConnection,
} from '@diq/redis/connection.ts';
import type { RedisAddress } from '@diq/redis/redis-address.ts';
import { setTimeout as wait } from 'node:timers/promises';
import { serverInfo, serverSetting } from '@diq/redis/ask-owner.ts';
import { describeRedisTrouble, isRedisTrouble } from '@diq/redis/is-unavailable.ts';

export type WorkerRedis = Awaited<ReturnType<typeof openRedis>>;

/**
 * Opens the worker's connections and waits for Redis: a worker survives an outage of Redis and may start before it. Limiter and
 * ledger have connections of their own: a slow command of one must not delay the other.
 *
 * @param onConnecting gets the ledger's, before it is waited for
 */
export async function openRedis(
  address: RedisAddress,
  logger: Logger,
  lifecycle: Lifecycle,
  onConnecting?: (ledger: RedisConnection) => void,
) {
  const redis = {
    ledger: openFailFastConnection({ address, name: 'diq-worker-ledger', logger }),
    limiter: openFailFastConnection({ address, name: 'diq-worker-limiter', logger }),
    queue: openBlockingConnection({ address, name: 'diq-worker-queue', logger }),
    wakes: openFailFastConnection({ address, name: 'diq-worker-wakes', logger }),
  };
  const connections = Object.values(redis);
  // Together: one that hangs takes its time to be dropped, and four must not take four times as long.
  lifecycle.onClose('redis', () => Promise.all(connections.map(closeRedis)));
  onConnecting?.(redis.ledger);
  for (const connection of connections) await untilReady(connection, logger, lifecycle);
  return redis;
}

/** From one attempt to the next. */
const pauseMs = 1_000;
/** The same reason is logged again after this long, so that a recent log always holds it. */
const remindMs = 60_000;

async function untilReady(
  connection: RedisConnection,
  logger: Logger,
  { closing }: Lifecycle,
): Promise<void> {
  let saidAtMs = -Infinity;
  while (!closing.aborted) {
    const isReady = await waitUntilReady(connection, 1_000).then(
      () => true,
      () => false,
    );
    if (isReady) return;
    // A connection that is lost or refused says so itself; one to a server that loads stands, and is just not ready.
    if (connection.status === 'connect' && performance.now() - saidAtMs > remindMs) {
      saidAtMs = performance.now();
      const facts = { connection: connectionName(connection), redis: 'loads its data, or hangs' };
      logger.warn(facts, 'waiting for Redis to serve before anything is called');
    }
  }
  throw new Error('stopped before Redis could be reached');
}

/**
 * Retries `open` while Redis answers but cannot serve (during a failover, without permissions, as part of a cluster), as
 * a worker also waits for a Redis that is away. Other errors are thrown.
 *
 * @throws Error also when the process is stopped meanwhile
 */
export async function untilRedisServes<T>(
  open: () => Promise<T>,
  logger: Pick<Logger, 'warn' | 'info'>,
  closing: AbortSignal,
): Promise<T> {
  let said = '';
  let saidAtMs = 0;
  for (;;) {
    try {
      const opened = await open();
      if (said !== '') logger.info('Redis serves again, the start goes on');
      return opened;
    } catch (error) {
      if (!isRedisTrouble(error) || closing.aborted) throw error;
      const redis = describeRedisTrouble(error);
      if (redis !== said || performance.now() - saidAtMs > remindMs) {
        [said, saidAtMs] = [redis, performance.now()];
        logger.warn({ redis, err: error }, 'waiting for Redis to serve before anything is called');
      }
    }
    await wait(pauseMs, undefined, { signal: closing }).catch(() => undefined);
  }
}

/** The settings with which Redis keeps accepted requests and spent permits. */
const wanted = {
  appendonly: { value: 'yes', risk: 'a restart of Redis loses every request and the record of calls made' },
  appendfsync: { value: 'always', risk: 'a crash of its machine loses what was accepted just before' },
  'maxmemory-policy': {
    value: 'noeviction',
    risk: 'Redis drops requests and records when memory runs short',
  },
} as const;

/** A setting with which Redis can lose data. */
interface DurabilityRisk {
  setting: keyof typeof wanted;
  found: string;
  expected: string;
  risk: string;
}

/**
 * How well the Redis that holds the key space keeps what it is given. Two of the settings are read from INFO, because CONFIG is for
 * administrators: the worker's own user may not use it, and managed services forbid it.
 *
 * @returns `risks`: settings with which data can be lost; `unchecked`: those that Redis did not show, and `err`, why. Both lists are
 * empty for the embedded Redis, which keeps nothing
 */
export async function readDurability(redis: RedisConnection, keySpace: string) {
  const unchecked = new Set(Object.keys(wanted) as (keyof typeof wanted)[]);
  const risks: DurabilityRisk[] = [];
  const check = (setting: keyof typeof wanted, found: string | undefined) => {
    if (found === undefined) return;
    unchecked.delete(setting);
    const { value, risk } = wanted[setting];
    if (found !== value) risks.push({ setting, found, expected: value, risk });
  };
  let err: unknown;
  try {
    const info = await serverInfo(redis, keySpace);
    if (/^os:wasi/m.test(info)) return { isEmbedded: true, risks: [], unchecked: [], err };
    const shown = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];
    const isAppendOnly = shown('aof_enabled');
    check('appendonly', isAppendOnly && (isAppendOnly === '1' ? 'yes' : 'no'));
    check('maxmemory-policy', shown('maxmemory_policy'));
    check('appendfsync', await serverSetting(redis, keySpace, 'appendfsync'));
  } catch (error) {
    err = error;
  }
  return { isEmbedded: false, risks, unchecked: [...unchecked], err };
}

/** Warns about settings with which the Redis that holds the key space can lose data. Never fails: the operator decides. */
export async function checkRedis(
  redis: RedisConnection,
  keySpace: string,
  logger: Pick<Logger, 'warn' | 'info'>,
): Promise<void> {
  // The launcher's embedded Redis keeps nothing; the launcher prints that at its start.
  const { risks, unchecked, err } = await readDurability(redis, keySpace);
  for (const { risk, ...facts } of risks) logger.warn(facts, `Redis: ${risk}`);
  if (unchecked.length > 0)
    logger.info({ settings: unchecked, err }, 'durability settings of Redis that could not be checked');
}
