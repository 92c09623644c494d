import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import {
  closeRedis,
  openBlockingConnection,
  openLedgerConnection,
  waitUntilReady,
} from '@diq/redis/connection.ts';

export type WorkerRedis = Awaited<ReturnType<typeof openRedis>>;

/**
 * Opens the worker's connections and waits for Redis: a worker survives an outage of Redis and may start before it. Limiter and
 * ledger have connections of their own: a slow command of one must not delay the other.
 */
export async function openRedis(url: string, logger: Logger, lifecycle: Lifecycle) {
  const settings = { url };
  const redis = {
    ledger: openLedgerConnection({ settings, name: 'diq-worker-ledger', logger }),
    limiter: openLedgerConnection({ settings, name: 'diq-worker-limiter', logger }),
    queue: openBlockingConnection({ settings, name: 'diq-worker-queue', logger }),
  };
  const connections = Object.values(redis);
  // Together: one that hangs takes its time to be dropped, and three must not take three times as long.
  lifecycle.onClose('redis', () => Promise.all(connections.map(closeRedis)));
  for (const connection of connections) await untilReady(connection, lifecycle);
  return redis;
}

async function untilReady(
  connection: Parameters<typeof waitUntilReady>[0],
  { closing }: Lifecycle,
): Promise<void> {
  while (!closing.aborted) {
    const isReady = await waitUntilReady(connection, 1_000).then(
      () => true,
      () => false,
    );
    if (isReady) return;
  }
  throw new Error('stopped before Redis could be reached');
}
