import { Redis } from 'ioredis';
import type { RedisBehindSentinels } from './redis-address.ts';

/** From one look at the sentinels to the next. */
const lookEveryMs = 1_000;
/** A server that takes a connection and does not get it ready in this time hangs. */
const handshakeWithinMs = 3_000;

const watches = new Map<string, SentinelWatch>();

/**
 * Has a connection look for its primary again when the sentinels name another one: a server that hangs, or is cut off, keeps
 * its connections open. All connections of a process share one look. (The `failoverDetector` of ioredis does not do: it ends a
 * connection for good that is connecting at the moment of the failover, and opens several to the sentinels for each.)
 *
 * @param access what the sentinels ask for
 */
export function followPrimary(
  redis: Redis,
  address: RedisBehindSentinels,
  access: { password?: string; tls?: object },
): void {
  const key = JSON.stringify([address.sentinels, address.name]);
  const watch = watches.get(key) ?? openWatch(address, access, () => watches.delete(key));
  watches.set(key, watch);
  watch.add(redis);
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (...args: Parameters<typeof duplicate>) => {
    const other = duplicate(...args);
    followPrimary(other, address, access);
    return other;
  };
}

type SentinelWatch = ReturnType<typeof openWatch>;

function openWatch(
  { sentinels, name }: RedisBehindSentinels,
  access: { password?: string; tls?: object },
  onEmpty: () => void,
) {
  /** With the time since which each is connected and not ready. */
  const connections = new Map<Redis, number | undefined>();
  let asked = 0;
  let sentinel: Redis | undefined;
  let primary: string | undefined;

  async function look(): Promise<void> {
    sentinel ??= new Redis({
      ...sentinels[asked % sentinels.length],
      ...access,
      connectTimeout: lookEveryMs,
      commandTimeout: lookEveryMs,
      maxRetriesPerRequest: 0,
      retryStrategy: null,
      enableReadyCheck: false,
      connectionName: 'diq-sentinel-watch',
    } as const).on('error', () => undefined);
    try {
      const found = await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name);
      if (Array.isArray(found)) moveTo(found.join(':'));
    } catch {
      sentinel.disconnect();
      sentinel = undefined;
      asked += 1;
    }
    dropHanging();
  }

  function moveTo(found: string): void {
    const isMoved = primary !== undefined && primary !== found;
    primary = found;
    if (!isMoved) return;
    // One that is connecting asks the sentinels by itself.
    for (const redis of connections.keys()) {
      if (redis.status === 'ready' || redis.status === 'connect') redis.disconnect(true);
    }
  }

  function dropHanging(): void {
    const nowMs = performance.now();
    for (const [redis, sinceMs = nowMs] of connections) {
      connections.set(redis, redis.status === 'connect' ? sinceMs : undefined);
      if (redis.status === 'connect' && nowMs - sinceMs > handshakeWithinMs) redis.disconnect(true);
    }
  }

  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => (looking = false));
  }, lookEveryMs);
  timer.unref();
  return {
    add(redis: Redis): void {
      connections.set(redis, undefined);
      redis.once('end', () => {
        connections.delete(redis);
        if (connections.size > 0) return;
        clearInterval(timer);
        sentinel?.disconnect();
        onEmpty();
      });
    },
  };
}
