import type { JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { QueueNeeds } from '../scheduling/queue-needs.ts';
import type { OfflineTasks } from '@diq/queue/tasks/offline-tasks.ts';
import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import type { FinishCallOptions } from '../execution/finish-call.ts';
import type { MachineTurns } from '../execution/machine-turns.ts';
import type { SetAside } from '../execution/process-job.ts';
import { createReconciler, type ReconcilerOptions } from '../reconciliation/reconciler.ts';
import type { FollowUp } from '../follow-up/follow-up.ts';
import type { JobClaimer } from '../scheduling/job-claimer.ts';
import { rescueAbandonedCalls } from './rescue-abandoned-calls.ts';
import { createMissingJobCheck, type MissingJobCheckOptions } from './requeue-missing-jobs.ts';

export type MaintenanceOptions = FinishCallOptions &
  ReconcilerOptions & {
    aside: SetAside;
    turns: Pick<MachineTurns, 'unblockSome' | 'blocked'>;
    offline: OfflineTasks;
    /** How many Defender runs at once for machines that are offline; `undefined` where these are not put behind others, or not any more. */
    mostOffline?: number | undefined;
    claimer: Pick<JobClaimer, 'bringBack' | 'bringBackEveryMs'>;
    /** Of all queues of the tenant; none where results are not followed. */
    followUp?: Pick<FollowUp, 'check'>;
  };

export type Maintenance = ReturnType<typeof createMaintenance>;

const rescueEveryMs = 1_000;
/** After an outage of Redis, live workers store their outcomes within a second; they go first. */
const afterOutageMs = 5_000;
/** How late a waiting request can expire after its deadline. */
const expireEveryMs = 1_000;
const takeBackEveryMs = 1_000;
const checkJobsEveryMs = 2_000;
const unblockEveryMs = 1_000;
const compareJobsEveryMs = 30_000;
const followEveryMs = 2_000;
const longestBetweenQueriesMs = 1_000;

/** What is done beside the calls while there is a need for it. */
interface Duty {
  /** Whether there is a need, at this time of Redis' clock. */
  isNeeded(needs: QueueNeeds, nowMs: number): boolean;
  /** From the end of one time to the next. */
  everyMs: number;
  /** Left out at first, and for so long after Redis could not be asked. */
  calmMs?: number;
  act(needs: QueueNeeds): Promise<unknown>;
  /** For the log of its outages. */
  what: string;
}

/**
 * The work beside the calls of one queue: for abandoned calls, deadlines, missing jobs and lost answers. Each look at the
 * queue shows what there is a need for; without one nothing is done.
 */
export function createMaintenance(options: MaintenanceOptions) {
  const reconciler = createReconciler(options);
  const duties = dutiesOf(options, () => reconciler.queryDue()).map((duty) => ({
    ...duty,
    outages: createOutageLog(options.logger, duty.what),
    notBeforeMs: 0,
    underWay: undefined as Promise<unknown> | undefined,
  }));
  let isClosed = false;
  let calmSinceMs: number | undefined;

  function begin(duty: (typeof duties)[number], needs: QueueNeeds): void {
    const acted = duty.outages
      .watched(() => duty.act(needs))()
      .catch((error: unknown) => duty.outages.failed(error));
    duty.underWay = acted.finally(() => {
      duty.underWay = undefined;
      duty.notBeforeMs = performance.now() + duty.everyMs;
    });
  }

  return {
    /** Begins what there is a need for and is not under way. `nowMs` is the time of Redis' clock at which that was seen. */
    attend(needs: QueueNeeds, nowMs: number): void {
      calmSinceMs ??= performance.now();
      for (const duty of duties) {
        const fromMs = Math.max(duty.notBeforeMs, calmSinceMs + (duty.calmMs ?? 0));
        const mayBegin = !isClosed && duty.underWay === undefined && performance.now() >= fromMs;
        if (mayBegin && duty.isNeeded(needs, nowMs)) begin(duty, needs);
      }
    },
    /** Redis could not be asked, or may have been away. */
    unsettled: () => void (calmSinceMs = undefined),
    /** Begins nothing more and waits for what is under way; a query to Defender ends with its reader. */
    async close(): Promise<void> {
      isClosed = true;
      reconciler.close();
      await Promise.all(duties.flatMap(({ underWay }) => underWay ?? []));
    },
  };
}

type JobCounts = Pick<QueueNeeds, 'waiting' | 'ready' | 'claimed' | 'blocked' | 'offline' | 'unresolved'>;

/**
 * Jobs are searched for while there are fewer than waiting tasks, and compared now and then though there are as many: one too
 * many can hide one that is missing.
 */
export function createMissingJobsDuty(
  search: () => Promise<{ suspects: number }>,
  nowMs: () => number = () => performance.now(),
) {
  let comparedAtMs = -Infinity;
  let suspects = 0;
  return {
    mayBeMissing: ({ waiting, ready, claimed, blocked, offline, unresolved }: JobCounts): boolean =>
      waiting > 0 &&
      (waiting > ready + claimed + blocked + offline + unresolved ||
        suspects > 0 ||
        nowMs() - comparedAtMs >= compareJobsEveryMs),
    async check(): Promise<void> {
      ({ suspects } = await search());
      comparedAtMs = nowMs();
    },
  };
}

function dutiesOf(options: MaintenanceOptions, queryDue: () => Promise<void>): Duty[] {
  const { claimer, aside, turns, permitTimeoutMs, firstQueryInMs, followUp } = options;
  const jobs = createMissingJobsDuty(createMissingJobCheck({ ...options, jobs: countingAside(options) }));
  return [
    {
      what: 'rescuing abandoned calls',
      everyMs: rescueEveryMs,
      isNeeded: ({ callBeganMs = Infinity }, nowMs) => callBeganMs < nowMs - permitTimeoutMs,
      calmMs: afterOutageMs,
      act: () => rescueAbandonedCalls(options),
    },
    {
      what: 'expiring deadlines',
      everyMs: expireEveryMs,
      isNeeded: ({ deadlineMs = Infinity }, nowMs) => deadlineMs <= nowMs,
      act: () => expireDue(options),
    },
    {
      // Any worker does this after a good answer; here for a worker that ended in between.
      what: 'moving refused tasks back to their places',
      everyMs: takeBackEveryMs,
      isNeeded: (needs) => needs.aside > 0,
      act: () => aside.takeBack(),
    },
    {
      what: 'putting back tasks whose turn has come on their machine',
      everyMs: unblockEveryMs,
      isNeeded: ({ blocked }) => blocked > 0,
      act: () => turns.unblockSome(),
    },
    {
      what: 'putting back tasks whose machine is offline',
      everyMs: unblockEveryMs,
      isNeeded: (needs) => needs.offline > 0,
      act: async ({ ready, claimed }) => {
        const { mostOffline: most } = options;
        const isIdle = most === undefined || ready + claimed === 0;
        await options.jobs.add(await options.offline.takeBack({ most, isIdle }));
      },
    },
    {
      what: 'the search for missing jobs',
      everyMs: checkJobsEveryMs,
      isNeeded: jobs.mayBeMissing,
      act: jobs.check,
    },
    {
      what: 'putting back jobs of dead workers',
      everyMs: claimer.bringBackEveryMs,
      isNeeded: ({ claimed }) => claimed > 0,
      act: () => claimer.bringBack(),
    },
    {
      what: 'reconciling unresolved outcomes',
      everyMs: Math.min(firstQueryInMs, longestBetweenQueriesMs),
      isNeeded: ({ queryMs = Infinity }, nowMs) => queryMs <= nowMs,
      act: queryDue,
    },
    {
      what: 'following results',
      everyMs: followEveryMs,
      isNeeded: ({ resultMs = Infinity }, nowMs) => followUp !== undefined && resultMs <= nowMs,
      act: async () => followUp?.check(),
    },
  ];
}

/** A task that is put aside lacks no job. */
function countingAside({
  jobs,
  turns: { blocked },
  offline,
}: Pick<MaintenanceOptions, 'jobs' | 'turns' | 'offline'>): MissingJobCheckOptions['jobs'] {
  return {
    add: jobs.add,
    async countAll() {
      const counts = await Promise.all([jobs.countAll(), blocked.count(), offline.count()]);
      return counts.reduce((sum, count) => sum + count, 0);
    },
    async have(ids) {
      const found = await Promise.all([jobs.have(ids), blocked.areBlocked(ids), offline.areAside(ids)]);
      return ids.map((_, i) => found.some((has) => has[i] === true));
    },
  };
}

/**
 * Ends every queued request whose own deadline was reached, in bounded steps. A job that is not taken out, because
 * this process ends in between or another worker holds it, finds nothing to do.
 *
 * @returns how many requests expired
 */
export async function expireDue({
  tasks,
  jobs,
  logger,
}: {
  tasks: Pick<TaskStore, 'expireDue'>;
  jobs: Pick<JobQueue, 'removeAll'>;
  logger: Pick<Logger, 'info'>;
}): Promise<number> {
  let expired = 0;
  for (;;) {
    const { requestIds, ended } = await tasks.expireDue();
    await jobs.removeAll(ended);
    if (requestIds.length === 0) return expired;
    logger.info({ requests: requestIds.length, tasks: ended.length }, 'expired while waiting');
    expired += requestIds.length;
  }
}
