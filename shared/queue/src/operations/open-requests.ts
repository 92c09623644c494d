import type { RedisConnection } from '@diq/redis/connection.ts';
import { storeKeys } from '../store-keys.ts';

/** Of these queues, those in which a request is open; one small command each. One that cannot be asked has none. */
export function createBusyQueueCheck(redis: RedisConnection) {
  return async <Q extends { readonly keySpace: string }>(queues: readonly Q[]): Promise<Q[]> => {
    const found = await Promise.all(queues.map((queue) => hasWork(redis, queue.keySpace).catch(() => false)));
    return queues.filter((_, i) => found[i]);
  };
}

async function hasWork(redis: RedisConnection, keySpace: string): Promise<boolean> {
  const { counts } = storeKeys(keySpace);
  const open = await redis.hmget(counts, 'queued', 'dispatching');
  return open.some((count) => Number(count) > 0);
}
