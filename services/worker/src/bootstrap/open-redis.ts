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
 * Opens the worker's connections and waits for Redis: a worker outlives it, and started before it, waits. Limiter and
 * ledger have their own: what one of them waits for must not hold up the other.
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
  throw new Error('told to stop before Redis could be reached');
}
