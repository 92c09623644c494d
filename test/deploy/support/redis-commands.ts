import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { readScript } from '@diq/redis/script.ts';
import { root } from './read-deploy.ts';

/** A service that has a user in Redis, and how it uses libraries there. */
export interface RedisClientService {
  entry: string;
  /** Scripts of BullMQ that its calls of `Queue`, `Worker` and `Job` run. */
  bullmqScripts: readonly string[];
  usesBottleneck: boolean;
}

/** Every command of Redis that a service can send, in scripts and outside of them, but for those of the connection. */
export function commandsOf({ entry, bullmqScripts, usesBottleneck }: RedisClientService): string[] {
  const modules = modulesOf(new URL(entry, root));
  const commands = [
    ...modules.flatMap(({ url, text }) => [...inScripts(scriptsNamedIn(url, text)), ...inCode(text)]),
    ...inScripts(bullmqScripts.map(bullmqScript)),
    ...(usesBottleneck ? inScripts(bottleneckScripts()) : []),
  ];
  return [...new Set(commands)].toSorted();
}

interface Module {
  url: URL;
  text: string;
}

function modulesOf(entry: URL): Module[] {
  const found = new Map<string, Module>();
  const open = [entry];
  for (let url = open.pop(); url !== undefined; url = open.pop()) {
    if (found.has(url.href)) continue;
    const text = readFileSync(url, 'utf8');
    found.set(url.href, { url, text });
    for (const [, name = ''] of text.matchAll(/(?:from|import) '([^']+\.ts)'/g)) {
      const [, shared, rest = ''] = /^@diq\/([a-z-]+)\/(.*)$/.exec(name) ?? [];
      open.push(shared === undefined ? new URL(name, url) : new URL(`shared/${shared}/src/${rest}`, root));
    }
  }
  return [...found.values()];
}

/** Each script of ours that a module loads, with what it includes: by its path, or by its name where the path is made of one. */
function scriptsNamedIn(url: URL, text: string): string[] {
  const words = [...text.matchAll(/'([a-z-]+)'/g)].map(([, word = '']) => word);
  return [...text.matchAll(/new URL\(['`]([^'`]*\.lua)['`]/g)]
    .flatMap(([, path = '']) =>
      path.includes('${name}') ? words.map((word) => path.replace('${name}', word)) : [path],
    )
    .map((path) => new URL(path, url))
    .filter((file) => existsSync(file))
    .map((file) => readScript(file));
}

function inScripts(texts: readonly string[]): string[] {
  return texts.flatMap((text) =>
    // `write` of accept.lua takes the command as its first argument.
    [...text.matchAll(/\b(?:redis\.p?call|rcall|write)\(\s*['"]([A-Za-z]+)['"]/g)].map(([, name = '']) =>
      name.toLowerCase(),
    ),
  );
}

/** Methods of a connection that send no command of their name. */
const noCommand = new Set([
  'connect',
  'disconnect',
  'duplicate',
  'exec',
  'multi',
  'off',
  'on',
  'once',
  'pipeline',
]);

function inCode(text: string): string[] {
  const called = [...text.matchAll(/\b(?:redis|pipeline|reading)\s*\.([a-z]+)\(/g)].map(
    ([, name = '']) => name,
  );
  // A command that names no key is given to the server of a key.
  called.push(...[...text.matchAll(/\baskOwner\(redis, \w+, '([a-z]+)'/g)].map(([, name = '']) => name));
  return called.filter((name) => name in Redis.prototype && !noCommand.has(name));
}

const require = createRequire(import.meta.url);

function bullmqScript(name: string): string {
  const folder = fileURLToPath(new URL('.', import.meta.resolve('bullmq'))).replace(/esm\/?$/, 'cjs/');
  const all = require(`${folder}/scripts/index.js`) as Record<string, { name: string; content: string }>;
  const script = Object.values(all).find((one) => one.name === name);
  if (!script) throw new Error(`BullMQ has no script ${name}`);
  return script.content;
}

function bottleneckScripts(): string[] {
  return Object.values(require('bottleneck/lib/lua.json') as Record<string, string>);
}
