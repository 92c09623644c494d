import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

export type Script = (
  redis: Redis,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
) => Promise<unknown>;

/** In front of a script's other files: it runs also while Redis is full. */
export const whenFull = new URL('./lua/when-full.lua', import.meta.url);

/**
 * A Lua script out of files, put together in this order, run by its digest; where the server does not know it (fresh,
 * or after SCRIPT FLUSH) it is sent whole, once.
 */
export function loadScript(...files: URL[]): Script {
  const lua = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  const sha1 = createHash('sha1').update(lua).digest('hex');
  return async (redis, keys, args) => {
    try {
      return await redis.evalsha(sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('NOSCRIPT')) throw error;
      return await redis.eval(lua, keys.length, ...keys, ...args);
    }
  };
}
