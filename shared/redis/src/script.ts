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

/** BullMQ's scripts that only read: a server that takes no writes can still be asked. */
const readingScripts = /^(?:get|is|paginate)/;

/**
 * Lets a library's scripts run also while Redis is full: those of BullMQ that claim, lock, hand back and complete a job,
 * and all of Bottleneck. A job that BullMQ adds belongs to a task that is recorded, so it is let in too.
 *
 * @param redis before the library defines its scripts on it
 */
export function runScriptsWhenFull(redis: Redis): void {
  const define = redis.defineCommand.bind(redis);
  const prelude = readFileSync(whenFull, 'utf8');
  redis.defineCommand = (name, definition) => {
    const lua = readingScripts.test(name) ? definition.lua : `${prelude}\n${definition.lua}`;
    define(name, { ...definition, lua });
  };
}
