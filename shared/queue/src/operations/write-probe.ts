import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from '../store-keys.ts';

const keptMs = 60_000;
const script = loadScript(new URL('../lua/probe-write.lua', import.meta.url), { whenFull: true });

/**
 * Resolves when Redis has taken a write, of one key that is always the same; rejects with its reply. With `evenFull` it is
 * one of those that a full Redis takes too.
 *
 * @param options.further keys that the user must be allowed as well: they are named, and left as they are
 */
export function createWriteProbe(
  redis: RedisConnection,
  keySpace: string,
  {
    evenFull,
    further = [],
  }: { evenFull: false; further?: undefined } | { evenFull: true; further?: readonly string[] },
) {
  const key = storeKeys(keySpace).writeProbe;
  return async (): Promise<void> => {
    if (evenFull) await script(redis, [key, ...further], [keptMs]);
    else await redis.set(key, '1', 'PX', keptMs);
  };
}
