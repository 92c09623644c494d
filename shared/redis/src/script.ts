import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isCluster, type RedisConnection } from './connection.ts';

export type Script = (
  redis: RedisConnection,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
) => Promise<unknown>;

const ownFile = (name: string) => new URL(`./lua/${name}`, import.meta.url);

/**
 * A script in front of which stand the files that it names in its first line, `-- include lib/detach.lua, now.lua`, and
 * what these include: each once, from beside the file that names it or from `lua/` here.
 */
export function readScript(file: URL, included = new Set<string>()): string {
  if (included.has(file.href)) return '';
  included.add(file.href);
  const lua = readFileSync(file, 'utf8');
  const [, names = ''] = /^-- include (.+)\n/.exec(lua) ?? [];
  const includes = names.split(', ').filter((name) => name !== '');
  const parts = includes.map((name) => {
    const beside = new URL(name, file);
    return readScript(existsSync(beside) ? beside : ownFile(name), included);
  });
  return [...parts.filter((part) => part !== ''), lua].join('\n');
}

/**
 * A Lua script with the files that it includes, run by its digest; where the server does not know it (fresh, or after
 * SCRIPT FLUSH) it is sent whole, once.
 *
 * @param options.whenFull it runs also while Redis is full: it records an outcome, or only frees
 */
export function loadScript(file: URL, { whenFull = false } = {}): Script {
  const script = withDigest((whenFull ? `${fullPrelude()}\n` : '') + readScript(file));
  // The prelude of the others begins with a command of this kind.
  const inCluster = whenFull ? script : withDigest(`${restPrelude()}\n${readScript(file)}`);
  return async (redis, keys, args) => {
    const { lua, sha1 } = isCluster(redis) ? inCluster : script;
    try {
      return await redis.evalsha(sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('NOSCRIPT')) throw error;
      return await redis.eval(lua, keys.length, ...keys, ...args);
    }
  };
}

const withDigest = (lua: string) => ({ lua, sha1: createHash('sha1').update(lua).digest('hex') });

const restPrelude = () => readFileSync(ownFile('while-at-rest.lua'), 'utf8');
const fullPrelude = () => readFileSync(ownFile('when-full.lua'), 'utf8');

/** BullMQ's scripts that only read: a server that takes no writes can still be asked. */
const readingScripts = /^(?:get|is|paginate)/;

const runWhenFull = new WeakSet<RedisConnection>();

/**
 * Lets a library's scripts run also while Redis is full: those of BullMQ that claim, lock, hand back and complete a job,
 * and all of Bottleneck. A job that BullMQ adds belongs to a task that is recorded, so it is let in too.
 *
 * @param redis before the library defines its scripts on it
 */
export function runScriptsWhenFull(redis: RedisConnection): void {
  // Many queues share a connection.
  if (runWhenFull.has(redis)) return;
  runWhenFull.add(redis);
  const define = redis.defineCommand.bind(redis);
  const prelude = fullPrelude();
  redis.defineCommand = (name, definition) => {
    const lua = readingScripts.test(name) ? definition.lua : `${prelude}\n${definition.lua}`;
    define(name, { ...definition, lua });
  };
}
