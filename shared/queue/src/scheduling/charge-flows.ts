import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { loadScript } from '@diq/redis/script.ts';
import { createJobRepositioning } from './job-queue.ts';
import { movingKeys, storeKeys } from '../store-keys.ts';
import type { JobQueue } from './job-queue.ts';

/** Jobs looked at by one script. */
const chunkSize = 100;
/**
 * Jobs deferred before one claim, at most; then the next one is claimed as it stands. A caller has two at the same start only
 * where it named a further source after it had placed many.
 */
const mostPerClaim = 2_000;

const script = loadScript(new URL('../lua/charge-flow.lua', import.meta.url), { whenFull: true });
const reply = z.array(z.union([z.string(), z.number()]));

/**
 * Charges the caller of the next job, so that a caller gets one call for each interval, however many sources it names. To
 * be called before a job is claimed. See `lua/charge-flow.lua`.
 */
export function createFlowCharging(
  redis: RedisConnection,
  keySpace: string,
  jobs: Pick<JobQueue, 'setJobPriorities'>,
) {
  const keys = [...movingKeys(keySpace), storeKeys(keySpace).jobOrder];
  const repositionJobs = createJobRepositioning(redis, keySpace, jobs);

  return async (): Promise<void> => {
    for (let looked = 0; looked < mostPerClaim; looked += chunkSize) {
      const moved = reply.parse(await script(redis, keys, [keySpace, 0, chunkSize]));
      if (moved.length === 0) return;
      const deferred = [];
      for (let i = 0; i < moved.length; i += 2) {
        deferred.push({ taskId: String(moved[i]), jobPriority: Number(moved[i + 1]) });
      }
      await repositionJobs(deferred);
    }
  };
}
