import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';
import { storeKeys } from '../store-keys.ts';

const takeScript = loadScript(new URL('../lua/take-room.lua', import.meta.url), { whenFull: true });

export type RunningTasks = ReturnType<typeof createRunningTasks>;

/** Where Defender runs only so many at once. */
export interface Room {
  /** How many may run at once. */
  readonly calls: number;
  /** How many of these may be for machines of which Defender gets no reports; `undefined` where that is not looked at. */
  readonly offlineCalls?: number | undefined;
}

/** `full`: as many run. `offline`: the machine is offline and as many run for such machines; the task was put aside. */
export type RoomTaken = 'taken' | 'full' | 'offline';

/**
 * The tasks of an operation that Defender runs: from the call on until the end of its result was seen, what is looked up
 * included.
 *
 * @param followsResults whether the ends of results are seen; without it a call counts until its answer
 */
export function createRunningTasks(
  redis: RedisConnection,
  keySpace: string,
  { calls, offlineCalls }: Room,
  followsResults = true,
) {
  const { starting, offline, offlineBack, inFlight, reconciling, results } = storeKeys(keySpace);
  const keys = [starting, offline, offlineBack, inFlight, reconciling, ...(followsResults ? [results] : [])];
  return {
    /** Keeps room for a task that is about to be called, for so long at most. */
    async takeRoom(taskId: string, keptForMs: number): Promise<RoomTaken> {
      const args = [calls, taskId, Math.ceil(keptForMs), keySpace, offlineCalls ?? ''];
      const reply = await takeScript(redis, keys, args);
      if (reply === 1) return 'taken';
      return reply === 0 ? 'full' : 'offline';
    },
    /** The call was made, or is not made: by now it counts as what it came to. */
    leaveRoom: async (taskId: string): Promise<void> => {
      await redis.zrem(starting, taskId);
    },
  };
}
