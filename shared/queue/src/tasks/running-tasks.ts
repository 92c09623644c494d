import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from '../store-keys.ts';

const takeScript = loadScript(new URL('../lua/take-room.lua', import.meta.url), { whenFull: true });

export type RunningTasks = ReturnType<typeof createRunningTasks>;

/**
 * The tasks of an operation that Defender runs: from the call on until the end of its result was seen, what is looked up
 * included.
 *
 * @param most how many may run at once
 * @param followsResults whether the ends of results are seen; without it a call counts until its answer
 */
export function createRunningTasks(
  redis: RedisConnection,
  keySpace: string,
  most: number,
  followsResults = true,
) {
  const { starting, inFlight, reconciling, results } = storeKeys(keySpace);
  const keys = [starting, inFlight, reconciling, ...(followsResults ? [results] : [])];
  return {
    /** Keeps room for a task that is about to be called, for so long at most. @returns false where as many run */
    takeRoom: async (taskId: string, keptForMs: number): Promise<boolean> =>
      (await takeScript(redis, keys, [most, taskId, Math.ceil(keptForMs)])) === 1,
    /** The call was made, or is not made: by now it counts as what it came to. */
    leaveRoom: async (taskId: string): Promise<void> => {
      await redis.zrem(starting, taskId);
    },
  };
}
