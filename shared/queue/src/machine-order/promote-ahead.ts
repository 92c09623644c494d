import { z } from 'zod';
import type { Priority } from '@diq/contracts/priority.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { loadScript } from '@diq/redis/script.ts';
import { createJobRepositioning, type Job, type JobQueue } from '../scheduling/job-queue.ts';
import { movingKeys } from '../store-keys.ts';

/** A task that is to be at least as urgent as one that waits behind it on its machine, in whichever queue that one is. */
export interface Ahead {
  /** Of the task ahead, with its place: see `admission/sharing.ts`. */
  key: string;
  /** The class of the one behind. */
  priority: Priority;
  /** The flow of that one, see `flowOf`: its turn is used up in the queue of the task ahead. */
  flow: string;
  virtualStartMs: number;
  /** The request for which the one behind stands where it does. */
  requestId: string;
}

const script = loadScript(new URL('../lua/promote-ahead.lua', import.meta.url), { whenFull: true });
const reply = z.array(z.union([z.string(), z.number()]));
/** Tasks per script: a few milliseconds of Redis' time. */
const perScript = 100;

/**
 * Moves tasks of one queue up behind which more urgent ones wait. See `lua/promote-ahead.lua`. If this process ends between the
 * script and the jobs, the next time the jobs follow.
 *
 * @returns which tasks were moved, now or by one that ended before their jobs had followed
 */
export function createPromoteAhead(
  redis: RedisConnection,
  keySpace: string,
  jobs: Pick<JobQueue, 'setJobPriorities'>,
) {
  const keys = movingKeys(keySpace);
  const repositionJobs = createJobRepositioning(redis, keySpace, jobs);

  return async (ahead: readonly Ahead[]): Promise<string[]> => {
    const moved: Job[] = [];
    for (let i = 0; i < ahead.length; i += perScript) {
      const args = ahead
        .slice(i, i + perScript)
        .flatMap(({ key, priority, flow, virtualStartMs, requestId }) => [
          key,
          priority,
          flow,
          virtualStartMs,
          requestId,
        ]);
      const answers = reply.parse(await script(redis, keys, [keySpace, 0, ...args]));
      for (let at = 0; at < answers.length; at += 2)
        moved.push({ taskId: String(answers[at]), jobPriority: Number(answers[at + 1]) });
    }
    await repositionJobs(moved);
    return moved.map(({ taskId }) => taskId);
  };
}
