import type { WorkerState } from '@diq/contracts/quota-document.ts';
import type { Backlog } from '@diq/queue/requests/request-reader.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { freeSlots } from '@diq/quota/forecast.ts';
import { forecastStartMs } from './forecast-start.ts';

/** Quota and backlog at about one instant. Times are of Redis' clock. */
export interface QueueState {
  view: LedgerSnapshot;
  backlog: Backlog;
  /** Of the slots of a window, those that only critical requests get. */
  reserveForCritical?: number;
  /** Whether any process is there to make the calls. */
  workers: WorkerReport;
}

/**
 * When the last of the tasks that wait now starts, those that are put aside left out: at once when none waits, and `undefined`
 * while that is unknown.
 */
export function drainedAtMs({ view, backlog }: Pick<QueueState, 'view' | 'backlog'>): number | undefined {
  const { waitingTasks, aside } = backlog;
  if (waitingTasks === 0) return view.nowMs;
  const placed = waitingTasks - aside.machineBusy - aside.machineOffline;
  return placed > 0 ? forecastStartMs(view, placed) : undefined;
}

/** Open requests whose call is under way, those whose lost answer is being looked up aside. */
export function beingCalled({ counts, lookingUp }: Backlog): number {
  return counts.dispatching - lookingUp;
}

/** For how long the longest-waiting task has waited; 0 when none waits. */
export function oldestWaitSeconds({ view, backlog }: Pick<QueueState, 'view' | 'backlog'>): number {
  // Arrival is a time of the clock of the intake that took it, which may be a little ahead of Redis'.
  return Math.max(0, view.nowMs - (backlog.oldestSinceMs ?? view.nowMs)) / 1_000;
}

/** Whether a slot is free although something that may have it waits, and nothing forbids to call. */
export function isSlotIdle({ view, backlog, reserveForCritical = 0 }: Omit<QueueState, 'workers'>): boolean {
  const keptBack = backlog.waitingByPriority.critical > 0 ? 0 : reserveForCritical;
  return (
    backlog.waitingTasks > 0 &&
    freeSlots(view) > keptBack &&
    view.hold === undefined &&
    view.probedUntilMs === undefined
  );
}

export interface WorkerReport {
  state: WorkerState;
  alive: number;
  /** By Redis' clock; absent where no worker was ever seen. */
  lastSeenAtMs?: number;
}

/** A worker looks every second; a slow Redis or a restart of a worker is no standstill yet. */
const stalledAfterMs = 30_000;
/** What was true between two readings further apart than these is not known. Of many queues each is read every 15 s. */
const maxGapMs = 20_000;

/**
 * Keeps over the readings of this process since when nothing is called that could be.
 *
 * @param clockMs a clock that only runs forward
 */
export function createWorkerWatch(clockMs: () => number = () => performance.now()) {
  let last: { atMs: number; report: WorkerReport } | undefined;
  let idle: { sinceMs: number; newestCallMs: number } | undefined;

  return {
    /** A reading of queue and quota. */
    saw(state: Omit<QueueState, 'workers'>): WorkerReport {
      const atMs = clockMs();
      const newestCallMs = newestCallOf(state.view);
      if (!isSlotIdle(state)) idle = undefined;
      else if (!idle || idle.newestCallMs !== newestCallMs || atMs - (last?.atMs ?? atMs) > maxGapMs)
        idle = { sinceMs: atMs, newestCallMs };
      const { alive = 0, lastSeenAtMs } = state.view.workers ?? {};
      const isStalled = idle !== undefined && atMs - idle.sinceMs >= stalledAfterMs;
      const report: WorkerReport = {
        state: alive === 0 ? 'absent' : isStalled ? 'stalled' : 'active',
        alive,
        ...(lastSeenAtMs === undefined ? {} : { lastSeenAtMs }),
      };
      last = { atMs, report };
      return report;
    },
    /** As of the last reading; `undefined` where that is too old to tell. */
    lastReport: () => (last && clockMs() - last.atMs <= maxGapMs ? last.report : undefined),
  };
}

/** Slots that are used and come back between two readings show as a newer call. */
function newestCallOf({ slotsInUse }: LedgerSnapshot): number {
  return slotsInUse.reduce((newest, { call }) => Math.max(newest, call?.spentAt ?? 0), 0);
}
