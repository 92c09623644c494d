import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import type { Redis } from 'ioredis';

/** Connections as a worker has them for limiter and ledger, closed after each test. */
export interface LedgerConnections {
  open(url: string): Promise<Redis>;
}

const silent = { info() {}, warn() {} };

/** Call inside a `describe`. */
export function useLedgerConnections(): LedgerConnections {
  const opened: Redis[] = [];
  afterEach('close ledger connections', async () => {
    await Promise.all(opened.splice(0).map(closeRedis));
  });
  return {
    async open(url) {
      const redis = openFailFastConnection({ url, name: 'test-ledger', logger: silent });
      opened.push(redis);
      await waitUntilReady(redis, 5_000);
      return redis;
    },
  };
}
