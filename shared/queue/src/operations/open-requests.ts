import type { RedisConnection } from '@diq/redis/connection.ts';
import { storeKeys } from '../store-keys.ts';

/**
 * Of these queues, those in which a request is open or a callback is due; one small command each. One that cannot be asked
 * has none.
 */
export function createBusyQueueCheck(redis: RedisConnection) {
  return async <Q extends { readonly keySpace: string }>(queues: readonly Q[]): Promise<Q[]> => {
    const found = await Promise.all(queues.map((queue) => hasWork(redis, queue.keySpace).catch(() => false)));
    return queues.filter((_, i) => found[i]);
  };
}

/** What waits, is called or is looked up is a task; an intake that died may have left callbacks behind. */
async function hasWork(redis: RedisConnection, keySpace: string): Promise<boolean> {
  const { waiting, inFlight, reconciling, callbacksDue, callbacksMoving } = storeKeys(keySpace);
  return (await redis.exists(waiting, inFlight, reconciling, callbacksDue, callbacksMoving)) > 0;
}
