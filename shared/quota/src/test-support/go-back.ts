import type { RedisConnection } from '@diq/redis/connection.ts';
import { ledgerKeys } from '../ledger/ledger-keys.ts';
import { keySpace } from './use-ledger.ts';

/** All that stands in Redis, to go back to as after a failover to a replica that has missed what came since. */
export async function rememberState(redis: RedisConnection): Promise<State> {
  const names = await redis.keys('*');
  return await Promise.all(
    names.map(async (name) => [name, (await redis.dumpBuffer(name)) ?? Buffer.alloc(0)] as const),
  );
}

type State = readonly (readonly [string, Buffer])[];

/** @param isOtherServer whether it stands on another Redis process than it was written on */
export async function goBackTo(state: State, redis: RedisConnection, isOtherServer = true): Promise<void> {
  await redis.flushall();
  for (const [name, content] of state) await redis.restore(name, 0, content);
  if (isOtherServer) await redis.hset(ledgerKeys(keySpace).generation, 'server', 'another');
}
