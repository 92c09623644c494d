import type { RedisConnection } from '@diq/redis/connection.ts';
import { readScript } from '@diq/redis/script.ts';
import { ledgerKeys, ledgerScriptKeys } from '../ledger/ledger-keys.ts';
import { keySpace } from './use-ledger.ts';

const clock = "redis.call('TIME')";
const keys = ledgerKeys(keySpace);
const scriptKeys = ledgerScriptKeys(keySpace);

/**
 * The ledger's scripts at a chosen moment, to the microsecond: what they do at the very edge of a window cannot be seen
 * on a clock that goes on. The caller has a window of 100 ms, unless given another, and a call timeout of 10 ms.
 */
export async function ledgerAt(redis: RedisConnection, limit = 1, windowMs = 100) {
  const server = /run_id:(\w+)/.exec(await redis.info('server'))?.[1] ?? '';
  const known = { id: 'generation', handover: 'handover', server, handoverAt: '0', changes: '0' };
  await redis.hset(keys.generation, known);

  return async (atMs: number, name: string, ...args: (string | number)[]): Promise<unknown[]> => {
    const micros = Math.round(atMs * 1_000);
    const time = `{ '${Math.floor(micros / 1_000_000)}', '${micros % 1_000_000}' }`;
    const lua = readScript(new URL(`../ledger/lua/${name}.lua`, import.meta.url)).replaceAll(clock, time);
    const argv = [known.id, `${limit}/${windowMs}`, 10, known.handover, 0, 'process', ...args];
    const reply = await redis.eval(lua, scriptKeys.length, ...scriptKeys, ...argv);
    return reply as unknown[];
  };
}
