import type { Backlog } from '@diq/queue/requests/request-reader.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { freeSlots } from '@diq/quota/forecast.ts';
import { forecastStartMs } from './forecast-start.ts';
import type { WorkerReport } from '../live-state/worker-watch.ts';

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
 * When the last of the tasks that wait now starts: at once when none waits, and `undefined` while nobody can say.
 */
export function drainedAtMs({ view, backlog }: Pick<QueueState, 'view' | 'backlog'>): number | undefined {
  return backlog.waitingTasks === 0 ? view.nowMs : forecastStartMs(view, backlog.waitingTasks);
}

/** Open requests whose call is under way, those whose lost answer is being looked up aside. */
export function beingCalled({ counts, lookingUp }: Backlog): number {
  return counts.dispatching - lookingUp;
}

/** For how long the longest-waiting task has waited; 0 when none waits. */
export function oldestWaitSeconds({ view, backlog }: Pick<QueueState, 'view' | 'backlog'>): number {
  // Arrival is told by the clock of the intake that took it, which may be a little ahead of Redis'.
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
