import {
  closeRedis,
  openFailFastConnection,
  waitUntilReady,
  type RedisConnection,
} from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';

/** Connections as a worker has them for limiter and ledger, closed after each test. */
export interface LedgerConnections {
  open(url: string): Promise<RedisConnection>;
}

const silent = { info() {}, warn() {} };

/** Call inside a `describe`. */
export function useLedgerConnections(): LedgerConnections {
  const opened: RedisConnection[] = [];
  afterEach('close ledger connections', async () => {
    await Promise.all(opened.splice(0).map(closeRedis));
  });
  return {
    async open(url) {
      const redis = openFailFastConnection({
        address: parseRedisUrl(url),
        name: 'test-ledger',
        logger: silent,
      });
      opened.push(redis);
      await waitUntilReady(redis, 5_000);
      return redis;
    },
  };
}
