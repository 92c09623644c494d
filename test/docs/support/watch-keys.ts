import { Redis } from 'ioredis';
import { z } from 'zod';
import { callbackHostKeys, callerKeys, storeKeys } from '@diq/queue/store-keys.ts';
import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import { watchCommands } from '@diq/testing/watch-commands.ts';

/** Keys that the Lua files build by themselves, and what BullMQ keeps beside the order. */
const builtElsewhere = ['task:<id>:joined', 'stored:times', 'stored:<time>', 'callbacks:*'];

/** In front of all keys. */
const prefix = 'diq:';

/** Every key that a request meets, as the documents write it: `request:<id>`. What stands in `<>` may have another name. */
export function keyPatterns(): string[] {
  const named = Object.values(storeKeys('')).map((key) =>
    typeof key === 'string' ? key : key('<id>', '<id>'),
  );
  // What the keys of jobs begin with.
  const jobs = storeKeys('').jobs;
  const own = named.map((key) => (key === jobs ? `${key}*` : key).slice(1));
  const ofHost = Object.values(callbackHostKeys('', '<id>')).map((key) => key.slice(1));
  const ofCaller = Object.values(callerKeys('<id>')).map((key) => key.slice(prefix.length));
  return [...own, ...ofHost, ...ofCaller, ...builtElsewhere, ledgerKeys('').holds.slice(1)];
}

/** The same pattern, whatever its parts are called. */
export const plainPattern = (pattern: string): string => pattern.replaceAll(/<[^>]+>/g, '<>');

/** What commands did to keys, by pattern: looked at only, or changed. */
export interface Touched {
  reads: string[];
  writes: string[];
}

export interface KeyWatch {
  /** What `act` had Redis do, its scripts' commands one by one. Nothing else may be under way. */
  during(act: () => Promise<unknown>): Promise<void>;
  /** All that was seen so far. */
  touched(): Touched;
  close(): void;
}

const commandReply = z.array(z.tuple([z.string(), z.number(), z.array(z.string())]).rest(z.unknown()));
const keysReply = z.array(z.string());

export async function watchKeys(url: string, keySpace: string): Promise<KeyWatch> {
  const client = new Redis(url);
  const watch = await watchCommands(client);
  // The most special comes first: `stored:times` is no `stored:<time>`.
  const open = (pattern: string) => pattern.split(/<|\*/).length + (pattern.endsWith('*') ? 10 : 0);
  const patterns = keyPatterns()
    .toSorted((one, other) => open(one) - open(other))
    .map((pattern) => ({ pattern, test: testOf(pattern) }));
  const [seen, isWriting] = [new Map<string, boolean>(), new Map<string, boolean>()];
  const scripts = new Set(['eval', 'evalsha', 'script', 'multi', 'exec', 'echo', 'time', 'command', 'info']);

  // What a script begins with that runs while Redis is full, see when-full.lua.
  const ofCaller = `${prefix}{caller/`;
  const isOurs = (key: string) =>
    key.startsWith(ofCaller) || (key.startsWith(`${keySpace}:`) && !key.endsWith(':none'));

  async function see(args: readonly string[]): Promise<void> {
    const name = (args[0] ?? '').toLowerCase();
    if (scripts.has(name)) return;
    if (!isWriting.has(name)) {
      const [[, , flags] = ['', 0, []]] = commandReply.parse(await client.call('COMMAND', 'INFO', name));
      isWriting.set(name, flags.includes('write'));
    }
    const found = await client.call('COMMAND', 'GETKEYS', ...args).catch(() => []);
    for (const key of keysReply.parse(found).filter(isOurs)) {
      const bare = key.slice(key.startsWith(ofCaller) ? prefix.length : keySpace.length + 1);
      const pattern = patterns.find(({ test }) => test(bare))?.pattern ?? bare;
      seen.set(pattern, seen.get(pattern) === true || isWriting.get(name) === true);
    }
  }

  const namesOf = (written: boolean) =>
    [...seen].flatMap(([pattern, isWritten]) => (isWritten === written ? [pattern] : [])).toSorted();

  return {
    async during(act) {
      await watch.untilNow();
      watch.seen.length = 0;
      await act();
      await watch.untilNow();
      for (const args of watch.seen) await see(args);
    },
    touched: () => ({ reads: namesOf(false), writes: namesOf(true) }),
    close() {
      watch.close();
      client.disconnect();
    },
  };
}

/** Of the signs that mean something in a regular expression a pattern has only `*`. */
function testOf(pattern: string): (key: string) => boolean {
  const whole = new RegExp(`^${pattern.replace('*', '.*').replaceAll(/<[^>]+>/g, '[^:]*')}$`);
  return (key) => whole.test(key);
}
