import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { isSlotIdle } from '../estimates/queue-state.ts';
import type { QueueState } from '../estimates/queue-state.ts';

/** `absent`: none is alive. `stalled`: alive, but nothing is called although slots are free, work waits and no hold is on. */
export const workerStates = ['active', 'absent', 'stalled'] as const;

export type WorkerState = (typeof workerStates)[number];

export interface WorkerReport {
  state: WorkerState;
  alive: number;
  /** By Redis' clock; absent where no worker was ever seen. */
  lastSeenAtMs?: number;
}

/** Keeps over the readings of this process since when nothing is called that could be. */
export interface WorkerWatch {
  /** A reading of queue and quota. */
  saw(state: Omit<QueueState, 'workers'>): WorkerReport;
  /** As of the last reading; `undefined` where that is too old to tell. */
  lastReport(): WorkerReport | undefined;
}

/** A worker looks every second; a slow Redis or a restart of a worker is no standstill yet. */
const stalledAfterMs = 30_000;
/** What was true between two readings further apart than these is not known. */
const maxGapMs = 10_000;

/** @param clockMs a clock that only runs forward */
export function createWorkerWatch(clockMs: () => number = () => performance.now()): WorkerWatch {
  let last: { atMs: number; report: WorkerReport } | undefined;
  let idle: { sinceMs: number; newestCallMs: number } | undefined;

  return {
    saw(state) {
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
    lastReport: () => (last && clockMs() - last.atMs <= maxGapMs ? last.report : undefined),
  };
}

/** Slots that are used and come back between two readings show as a newer call. */
function newestCallOf({ slotsInUse }: LedgerSnapshot): number {
  return slotsInUse.reduce((newest, { call }) => Math.max(newest, call?.spentAt ?? 0), 0);
}
