import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';

export interface MissingJobCheckOptions {
  tasks: Pick<TaskStore, 'countWaiting' | 'countUnresolved' | 'waitingPage' | 'jobPrioritiesOf'>;
  jobs: Pick<JobQueue, 'countAll' | 'have' | 'add'>;
  logger: Pick<Logger, 'warn'>;
  /** Tasks compared by id in one round while no job is known to be missing. */
  pageSize?: number;
  /** The same while jobs are known to be missing. */
  searchSize?: number;
  /** Tasks that came within this time are passed over: an intake may just be adding their jobs. */
  settleMs?: number;
}

/** Less than a millisecond of Redis' time. A turn of a million waiting tasks takes two hours. */
const usualPageSize = 250;
/** Some 3 ms of Redis' time. A turn of a million takes a quarter of an hour. */
const usualSearchSize = 2_500;
/** Adding the jobs of the largest batch takes less, with a command that was sent twice too. */
const usualSettleMs = 5_000;

/**
 * Adds the jobs that waiting tasks lack: an intake died before it added them, or the queue dropped them. A round costs
 * the same, however many tasks wait.
 *
 * Two numbers show that some are missing: fewer jobs than tasks that have waited for a while. Then these are
 * searched, the youngest first, where an intake that died has left them, until as many were found as are missing. One
 * job too many can hide one that is missing, so otherwise a small page is compared at each look. Either way only what is
 * missing at two looks is restored. A task whose machine is not known yet lacks no job.
 *
 * @returns what is one round, and tells how many jobs seem to be missing
 */
export function createMissingJobCheck(options: MissingJobCheckOptions): () => Promise<{ suspects: number }> {
  const { tasks, jobs, logger } = options;
  const { pageSize = usualPageSize, searchSize = usualSearchSize, settleMs = usualSettleMs } = options;
  const searched = createWalk('youngest first');
  const compared = createWalk('oldest first');
  let suspects: readonly string[] = [];

  async function withoutJob(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return [];
    const found = await jobs.have(ids);
    const without = ids.filter((_, i) => found[i] === false);
    if (without.length === 0) return [];
    return (await tasks.jobPrioritiesOf(without)).map(({ taskId }) => taskId);
  }

  async function restore(ids: readonly string[]): Promise<void> {
    // A task that was called or ended meanwhile needs no job; an extra job would find nothing to do.
    const missing = await tasks.jobPrioritiesOf(ids);
    if (missing.length === 0) return;
    await jobs.add(missing);
    logger.warn({ restored: missing.length }, 'missing jobs restored');
  }

  return async () => {
    await restore(await withoutJob(suspects));
    // In this order: a task whose machine is found in between, or that ends, is not counted as missing.
    const unresolved = await tasks.countUnresolved();
    const present = await jobs.countAll();
    const open = await tasks.countWaiting(settleMs);
    const areMissing = present + unresolved < open;
    if (!areMissing) searched.begin();
    const [from, count] = areMissing ? searched.next(open, searchSize) : compared.next(open, pageSize);
    suspects = count > 0 ? await withoutJob(await tasks.waitingPage(from, count)) : [];
    return { suspects: suspects.length };
  };
}

/** Goes through so many in pages, and from the beginning again. What came or left meanwhile shifts it by as many. */
function createWalk(order: 'youngest first' | 'oldest first') {
  let passed = 0;
  return {
    begin: () => void (passed = 0),
    /** @returns the first of the next page, counted from the oldest, and how many it has */
    next(of: number, size: number): [from: number, count: number] {
      if (passed >= of) passed = 0;
      const count = Math.min(size, of - passed);
      const from = order === 'oldest first' ? passed : of - passed - count;
      passed += count;
      return [from, count];
    },
  };
}
