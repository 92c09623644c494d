import type { NextCall } from '@diq/contracts/queue-order.ts';
import type { Failure } from '@diq/queue/operations/recent-failures.ts';
import type { Pause } from '@diq/queue/operations/queue-pause.ts';
import { lengthStepMs, type QueueFigures } from '@diq/queue/operations/queue-figures.ts';
import type { LedgerCall } from '@diq/quota/ledger/replies.ts';
import { longestWindowMs } from '@diq/quota/limits.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import { describeQuota, describeResults } from '../views/quota-view.ts';
import type { QueueState } from '../estimates/queue-state.ts';
import { callWindows, shownSinceMs } from './call-windows.ts';
import { describeHistory, describeWaiting } from './describe-waiting.ts';

/** What `GET /v1/events` tells: the answer of `GET /v1/quota`, and what lies behind it. */
export type StateDocument = Awaited<ReturnType<ReturnType<typeof createReadStateDocument>>>;

const maxFailures = 10;
const maxNext = 5;
/** Read again after this, too. */
const nextMaxAgeMs = 5_000;
/** More calls than these in 24 windows: the oldest ones are left out. */
const maxCalls = 2_000;

/** Reads what a reading of queue and quota does not tell, each part only when that reading says that it changed. */
export function createReadStateDocument(deps: {
  queue: Pick<Queue, 'tenant' | 'operation' | 'tenantId' | 'portal'>;
  findPause: () => Promise<Pause | undefined>;
  readFigures: () => Promise<QueueFigures>;
  nextCalls: (limit: number) => Promise<NextCall[]>;
  newestFailures: (limit: number) => Promise<Failure[]>;
  callsSince: (fromMs: number, limit: number) => Promise<LedgerCall[]>;
  /** The least time between two readings of a queue of which not all requests are read. */
  figuresIntervalMs?: number;
}) {
  const { queue, figuresIntervalMs = 1_000 } = deps;
  const figures = whenChanged(
    () => deps.readFigures(),
    (read, ageMs) => !read.hasMore || ageMs >= figuresIntervalMs,
  );
  const next = whenChanged(() => deps.nextCalls(maxNext));
  const calls = whenChanged((fromMs: number) => deps.callsSince(fromMs, maxCalls));
  const failures = whenChanged(() => deps.newestFailures(maxFailures));

  return async (state: QueueState) => {
    const { view, backlog } = state;
    const { nowMs } = view;
    const windowMs = longestWindowMs(view.limits);
    const isPaused = view.holdsOn.includes('paused');
    const pause = isPaused ? await deps.findPause() : undefined;
    const { failed, unknown, expired } = backlog.counts;
    const sinceMs = shownSinceMs(nowMs, windowMs);
    const [nextOnes, counted, called, failedLast] = [
      // Who goes next can change without a change of the figures, by a move to the head; when, by a hold.
      backlog.waitingTasks === 0
        ? []
        : await next(
            JSON.stringify([
              backlog,
              view.slotsInUse.map(identityOf),
              view.holdsOn,
              nowMs - (nowMs % nextMaxAgeMs),
            ]),
          ),
      // The history goes on while nothing moves.
      await figures(JSON.stringify([backlog, Math.floor(nowMs / lengthStepMs)])),
      await calls(JSON.stringify([sinceMs, windowMs, view.slotsInUse.map(identityOf)]), sinceMs),
      await failures(JSON.stringify([failed, unknown, expired])),
    ];
    return {
      now: new Date(nowMs).toISOString(),
      ...describeQuota(state, pause, queue),
      /** Where people see the machines of the tenant. */
      portal: queue.portal === undefined ? null : { url: queue.portal, tenantId: queue.tenantId },
      next: nextOnes,
      waiting: describeWaiting(counted, backlog.waitingByPriority),
      history: describeHistory(counted),
      results: describeResults(state, counted.byOutcome),
      windows: callWindows(called, nowMs, windowMs),
      failures: failedLast.map(describeFailure),
    };
  };
}

function identityOf({ freeAtMs, call }: QueueState['view']['slotsInUse'][number]) {
  return [freeAtMs, call?.callId, call?.outcome];
}

/** A reading that is taken again only when its `state` differs, and only where `mayBeRenewed` agrees. */
function whenChanged<T, Args extends unknown[]>(
  read: (...args: Args) => Promise<T>,
  mayBeRenewed: (last: T, ageMs: number) => boolean = () => true,
) {
  let last: { state: string; value: T; readAtMs: number } | undefined;
  return async (state: string, ...args: Args): Promise<T> => {
    const isStale =
      last?.state !== state && (!last || mayBeRenewed(last.value, performance.now() - last.readAtMs));
    if (last && !isStale) return last.value;
    const readAtMs = performance.now();
    const value = await read(...args);
    last = { state, value, readAtMs };
    return value;
  };
}

/** A request that ended badly, without what callers wrote into it beside its source. */
function describeFailure({ document, endedAtMs }: Failure) {
  const { id, machineId, status, source, priority, createdAt, error } = document;
  return {
    id,
    machineId,
    status,
    priority,
    source: source ?? null,
    createdAt,
    endedAt: endedAtMs === undefined ? null : new Date(endedAtMs).toISOString(),
    error: error ? { code: error.code, message: error.message } : null,
  };
}
