import { z } from 'zod';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';
import { calledAnywayAfterMs } from '../requests/stored-request.ts';
import type { Job } from '../scheduling/job-queue.ts';
import { storeKeys } from '../store-keys.ts';

export interface OfflineOptions {
  /** One is not looked at again within this time, by whichever worker. */
  betweenLooksMs?: number;
  calledAnywayMs?: number;
  /** Whether the ends of results are seen; see `running-tasks.ts`. */
  followsResults?: boolean;
}

const putBackScript = loadScript(new URL('../lua/put-back-offline.lua', import.meta.url), { whenFull: true });
const perRound = 100;

export type OfflineTasks = ReturnType<typeof createOfflineTasks>;

/**
 * Tasks that are put behind others, since Defender gets no reports of their machine and what is started there would keep room
 * from others. A look ahead puts them aside and finds out that a machine is back (`look-store.ts`). They have no job meanwhile.
 */
export function createOfflineTasks(redis: RedisConnection, keySpace: string, options: OfflineOptions = {}) {
  const { betweenLooksMs = 1_000, calledAnywayMs = calledAnywayAfterMs, followsResults = true } = options;
  const keys = storeKeys(keySpace);
  const running = [keys.starting, keys.inFlight, keys.reconciling, ...(followsResults ? [keys.results] : [])];
  const scriptKeys = [keys.offline, keys.waiting, keys.offlineBack, ...running];
  return {
    /**
     * Takes out those that are called all the same: critical ones and those that were put aside long ago, then, while nothing else
     * waits, the most urgent ones. With what runs for such machines they are never more than `most`, any number by default.
     *
     * @returns the jobs that they need again
     */
    async takeBack({ most, isIdle }: { most?: number | undefined; isIdle: boolean }): Promise<Job[]> {
      const args = [keySpace, perRound, betweenLooksMs, calledAnywayMs, most ?? '', isIdle ? 1 : ''];
      return jobsIn(await putBackScript(redis, scriptKeys, args));
    },
    count: (): Promise<number> => redis.zcard(keys.offline),
    /** Which of these are put aside. */
    async areAside(taskIds: readonly string[]): Promise<boolean[]> {
      if (taskIds.length === 0) return [];
      return (await redis.zmscore(keys.offline, ...taskIds)).map((score) => score !== null);
    },
  };
}

const pairs = z.array(z.string());

/** Out of ids that are each followed by their job priority. */
export function jobsIn(reply: unknown): Job[] {
  const values = pairs.parse(reply);
  return Array.from({ length: values.length / 2 }, (_, i) => ({
    taskId: values[2 * i] ?? '',
    jobPriority: Number(values[2 * i + 1]),
  }));
}
