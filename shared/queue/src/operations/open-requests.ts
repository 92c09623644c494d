import { isCluster, type RedisConnection } from '@diq/redis/connection.ts';
import { storeKeys } from '../store-keys.ts';

/**
 * Of these queues, those in which a request is open or a callback is due. As a rule there is none, which one command tells of all
 * of them; on a Redis Cluster one of each, because a command names keys of one server only. One that cannot be asked has none.
 */
export function createBusyQueueCheck(redis: RedisConnection) {
  const countOf = (queues: readonly { readonly keySpace: string }[]) =>
    redis.exists(...queues.flatMap(({ keySpace }) => workKeys(keySpace)));

  return async <Q extends { readonly keySpace: string }>(queues: readonly Q[]): Promise<Q[]> => {
    if (queues.length > 1 && !isCluster(redis) && (await countOf(queues).catch(() => 0)) === 0) return [];
    const found = await Promise.all(queues.map((queue) => countOf([queue]).catch(() => 0)));
    return queues.filter((_, i) => (found[i] ?? 0) > 0);
  };
}

/** What waits, is called or is looked up is a task; an intake that died may have left callbacks behind. */
function workKeys(keySpace: string): string[] {
  const { waiting, inFlight, reconciling, callbacksDue, callbacksMoving } = storeKeys(keySpace);
  return [waiting, inFlight, reconciling, callbacksDue, callbacksMoving];
}
