import { nameOf, type Queue } from '@diq/tenants/tenant.ts';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { priorities } from '@diq/contracts/priority.ts';
import { isTerminal, requestStatuses } from '@diq/contracts/status.ts';
import { freeSlots, nextSlotAtMs } from '@diq/quota/forecast.ts';
import { holdReasons } from '@diq/contracts/hold-reasons.ts';
import { registerBuildInfo } from '@diq/runtime/build-info.ts';
import type { LedgerSnapshot, LimitState } from '@diq/quota/ledger/replies.ts';
import { longestWindowMs, scarcestLimit } from '@diq/quota/limits.ts';
import type { ObservedRequest } from '../http/middleware/http-metrics.ts';
import { beingCalled, drainedAtMs, oldestWaitSeconds, type QueueState } from '../estimates/queue-state.ts';

/** What becomes of a request at the door: it got a task of its own, joined one, or was refused. */
const doorOutcomes = ['accepted', 'coalesced', 'rejected'] as const;

/** Each open request is counted in one of them: `looking_up` is apart from `dispatching`. */
export const openStatuses = ['queued', 'dispatching', 'looking_up'] as const;

/** A request ends in one of them, once. */
export const endStatuses = requestStatuses.filter(isTerminal);

/** How many requests ended which way at the door. */
type DoorOutcomes = Record<(typeof doorOutcomes)[number], number>;

export type IntakeMetrics = ReturnType<typeof createMetrics>;

/** The series of one queue. */
export type QueueMetrics = ReturnType<IntakeMetrics['ofQueue']>;

/** Every series of a queue carries them. */
const queueLabels = ['tenant', 'operation'] as const;

/** The series of this process, in a registry of its own. A scrape reads memory only. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerBuildInfo(registry);
  const registers = [registry];

  const requestDuration = new Histogram({
    name: 'diq_http_request_duration_seconds',
    help: 'Duration of HTTP requests; route is unmatched for what no route took. Rising: Redis or this process is overloaded.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  // An alert compares these over time: the first refusal must be a rise.
  for (const route of ['/v1/batches', '/v1/investigations']) {
    requestDuration.zero({ method: 'POST', route, status: 503 });
  }
  const memory = new Gauge({
    name: 'diq_redis_memory_ratio',
    help: "Share of Redis' maxmemory in use, in a Redis Cluster of the fullest server that holds queues; 0 where it has none or does not tell. Risen to INTAKE_MAX_MEMORY_PERCENT: new work is refused.",
    registers,
  });
  let readAtMs = performance.now();
  new Gauge({
    name: 'diq_state_age_seconds',
    help: 'Age of the reading that the gauges of queue and quota show. Rising: Redis does not answer.',
    registers,
    collect() {
      this.set((performance.now() - readAtMs) / 1_000);
    },
  }).set(0);
  const family = createQueueFamily(registers);

  return {
    registry,
    observeRequest: ({ seconds, ...labels }: ObservedRequest) => requestDuration.observe(labels, seconds),
    /** Of Redis' `maxmemory`, 0 to 1. */
    showMemory: (usedShare: number) => memory.set(usedShare),
    /** All queues that are due were read. */
    noteReading: () => void (readAtMs = performance.now()),
    /** What the series of a queue are written with. They exist once something is written, or all of them by `showQueue`. */
    ofQueue: (queue: QueueLabels) => seriesOf(family, queue),
    /** The series of a queue, at zero, or as they are. */
    showQueue: (queue: QueueLabels) => showAll(family, queue),
    /** Removes the series of a queue. Written again, they begin at zero. */
    forgetQueue: (queue: QueueLabels) => forget(family, queue),
  };
}

type QueueLabels = Pick<Queue, 'tenant' | 'operation'>;

type QueueFamily = ReturnType<typeof createQueueFamily>;

/** The metrics that every queue has. */
function createQueueFamily(registers: Registry[]) {
  const gauge = <Label extends string = never>(name: string, help: string, ...labels: Label[]) =>
    new Gauge({ name, help, labelNames: [...queueLabels, ...labels], registers });
  const counter = <Label extends string = never>(name: string, help: string, ...labels: Label[]) =>
    new Counter({ name, help, labelNames: [...queueLabels, ...labels], registers });
  return {
    /** By queue, those of its limits that were shown last. */
    windows: new Map<string, string[]>(),
    requests: counter(
      'diq_requests_total',
      'Requests handed in, by what became of them at the door. "rejected" rising: a caller sends what cannot be accepted.',
      'outcome',
    ),
    slotIdle: counter(
      'diq_slot_idle_seconds_total',
      'Time during which a slot was free although work was ready and no hold was on, as this intake sees it. Rising: no calls are made.',
    ),
    open: gauge(
      'diq_requests_open',
      'Requests that have not ended, by status, with those of status dispatching whose lost answer is looked up apart. "queued" rising: more is asked for than the quota gives.',
      'status',
    ),
    ended: counter(
      'diq_requests_ended_total',
      'Requests that ended, by status, as counted in Redis: all intakes show the same number, so take the greatest, not the sum; 0 until the first reading. Deleting requests lowers nothing. "failed" or "unknown" rising: see which, and why.',
      'status',
    ),
    resultsOpen: gauge(
      'diq_results_open',
      'Results of calls that are followed and whose end was not observed yet. Rising for hours: Defender does not come to an end, or cannot be read.',
    ),
    waiting: gauge(
      'diq_tasks_waiting',
      'Calls still to make, by priority; requests for one machine share one. Rising for days: the quota is too small for what is asked.',
      'priority',
    ),
    holdActive: gauge(
      'diq_hold_active',
      '1 while a hold for this reason is on, else 0. Risen to 1: no calls to Defender.',
      'reason',
    ),
    oldestWait: gauge(
      'diq_queue_oldest_wait_seconds',
      'How long the longest-waiting task has waited. Rising for days: the quota is too small for what is asked.',
    ),
    drain: gauge(
      'diq_queue_drain_seconds',
      'Time until what waits now will have started; +Inf during a hold whose end is not known, and while no worker is alive. Rising: the backlog grows.',
    ),
    limit: gauge(
      'diq_quota_limit',
      'Calls allowed in one rolling window; of several limits the scarcest, which stops calls first. Falling below what is configured: others use the same quota. Rising: they no longer do, or settings changed.',
    ),
    used: gauge(
      'diq_quota_used',
      'Permits in use, of the same limit. Risen to the limit: the next call waits for a slot, which is usual while requests wait.',
    ),
    windowLimit: gauge(
      'diq_quota_window_limit',
      'Calls allowed in one rolling window, by its length in seconds. Falling below what is configured: others use the same quota. Rising: they no longer do, or settings changed.',
      'window',
    ),
    windowUsed: gauge(
      'diq_quota_window_used',
      'Permits in use, by the window in which they count. Risen to diq_quota_window_limit: this window stops the next call.',
      'window',
    ),
    slots: gauge(
      'diq_quota_slots',
      'Permits in use, by what came of their calls; together they are diq_quota_used. "earlier" is what a reading does not list: all but the newest 100. Any but these two rising: permits that gave no investigation id.',
      'outcome',
    ),
    remaining: gauge(
      'diq_quota_remaining',
      'Permits free, a hold aside. 0 is usual while requests wait; rising meanwhile: no calls are made.',
    ),
    nextSlot: gauge(
      'diq_quota_next_slot_seconds',
      'Time until the next permit is free, a hold aside; 0 when one is. Risen above one window: a call is under way, or clocks have gone astray.',
    ),
    workers: gauge(
      'diq_workers_alive',
      'Workers that showed a sign of life in Redis within 10 s, however many this Prometheus reaches. Fallen to 0: no calls are made; risen: calls resume.',
    ),
  };
}

/** Those with no labels but the queue's. */
function singleOf(family: QueueFamily) {
  const { resultsOpen, oldestWait, drain, limit, used, remaining, nextSlot, workers } = family;
  return [resultsOpen, oldestWait, drain, limit, used, remaining, nextSlot, workers];
}

function showAll(family: QueueFamily, { tenant, operation }: QueueLabels): void {
  const labels = { tenant, operation };
  const { requests, slotIdle, open, ended, waiting, holdActive, slots } = family;
  for (const outcome of doorOutcomes) requests.inc({ ...labels, outcome }, 0);
  slotIdle.inc(labels, 0);
  for (const status of openStatuses) open.inc({ ...labels, status }, 0);
  for (const status of endStatuses) ended.inc({ ...labels, status }, 0);
  for (const priority of priorities) waiting.inc({ ...labels, priority }, 0);
  for (const reason of holdReasons) holdActive.inc({ ...labels, reason }, 0);
  for (const outcome of slotOutcomes) slots.inc({ ...labels, outcome }, 0);
  for (const gauge of singleOf(family)) gauge.inc(labels, 0);
}

function forget(family: QueueFamily, { tenant, operation }: QueueLabels): void {
  const labels = { tenant, operation };
  const { requests, slotIdle, open, ended, waiting, holdActive, slots } = family;
  for (const outcome of doorOutcomes) requests.remove({ ...labels, outcome });
  slotIdle.remove(labels);
  for (const status of openStatuses) open.remove({ ...labels, status });
  for (const status of endStatuses) ended.remove({ ...labels, status });
  for (const priority of priorities) waiting.remove({ ...labels, priority });
  for (const reason of holdReasons) holdActive.remove({ ...labels, reason });
  for (const outcome of slotOutcomes) slots.remove({ ...labels, outcome });
  for (const gauge of singleOf(family)) gauge.remove(labels);
  removeWindows(family, labels);
}

function removeWindows({ windows, windowLimit, windowUsed }: QueueFamily, labels: QueueLabels): void {
  for (const window of windows.get(nameOf(labels)) ?? []) {
    windowLimit.remove({ ...labels, window });
    windowUsed.remove({ ...labels, window });
  }
  windows.delete(nameOf(labels));
}

function seriesOf(family: QueueFamily, { tenant, operation }: QueueLabels) {
  const labels = { tenant, operation };
  const { requests, slotIdle, open, ended, waiting, holdActive, slots, windowLimit, windowUsed } = family;
  const { resultsOpen, oldestWait, drain, limit, used, remaining, nextSlot, workers } = family;

  /** Each limit by its window. Which windows there are is known with the first reading, and changes with the settings. */
  function showWindows(limits: readonly LimitState[]): void {
    removeWindows(family, labels);
    const windows = limits.map(({ windowMs }) => `${windowMs / 1_000}s`);
    family.windows.set(nameOf(labels), windows);
    for (const [i, { calls, used: inUse }] of limits.entries()) {
      const window = windows[i] ?? '';
      windowLimit.set({ ...labels, window }, calls);
      windowUsed.set({ ...labels, window }, inUse);
    }
  }

  return {
    countOutcomes(outcomes: DoorOutcomes): void {
      for (const outcome of doorOutcomes) requests.inc({ ...labels, outcome }, outcomes[outcome]);
    },
    addSlotIdleSeconds: (seconds: number) => slotIdle.inc(labels, seconds),
    /** Shows a reading of queue and quota. */
    showState(state: QueueState): void {
      const { view, backlog } = state;
      const shown = {
        queued: backlog.counts.queued,
        dispatching: beingCalled(backlog),
        looking_up: backlog.lookingUp,
      };
      for (const status of openStatuses) open.set({ ...labels, status }, shown[status]);
      for (const status of endStatuses) {
        ended.remove({ ...labels, status });
        ended.inc({ ...labels, status }, backlog.counts[status]);
      }
      for (const priority of priorities)
        waiting.set({ ...labels, priority }, backlog.waitingByPriority[priority]);
      for (const reason of holdReasons)
        holdActive.set({ ...labels, reason }, view.holdsOn.includes(reason) ? 1 : 0);
      resultsOpen.set(labels, backlog.openResults);
      oldestWait.set(labels, oldestWaitSeconds(state));
      drain.set(labels, ((drainedAtMs(state) ?? Number.POSITIVE_INFINITY) - view.nowMs) / 1_000);
      const scarcest = scarcestLimit(view);
      limit.set(labels, scarcest.calls);
      used.set(labels, scarcest.used);
      showWindows(view.limits);
      const inUse = countSlots(view, scarcest);
      for (const outcome of slotOutcomes) slots.set({ ...labels, outcome }, inUse[outcome]);
      remaining.set(labels, freeSlots(view));
      workers.set(labels, state.workers.alive);
      nextSlot.set(labels, (nextSlotAtMs(view) - view.nowMs) / 1_000);
    },
  };
}

/** What came of the calls that hold slots, in a closed list; the ledger's own words are more, and those of workers to come. */
const slotOutcomes = ['in_flight', 'started', 'throttled', 'no_answer', 'failed', 'earlier'] as const;

type SlotOutcome = (typeof slotOutcomes)[number];

const byRecorded: Readonly<Record<string, SlotOutcome>> = {
  in_flight: 'in_flight',
  started: 'started',
  already_running: 'started',
  throttled: 'throttled',
  unknown: 'no_answer',
  lost: 'no_answer',
  timeout: 'no_answer',
  connection_lost: 'no_answer',
};

/**
 * Slots in use of one limit by outcome; one whose call is not on record any more counts as `no_answer`. A reading lists the
 * newest calls only: what came of the others is not looked at, they are `earlier`.
 */
function countSlots(view: LedgerSnapshot, { used, windowMs }: LimitState): Record<SlotOutcome, number> {
  const counts = { in_flight: 0, started: 0, throttled: 0, no_answer: 0, failed: 0, earlier: 0 };
  const sinceMs = view.nowMs - windowMs + longestWindowMs(view.limits);
  const listed = view.slotsInUse.filter(({ freeAtMs }) => freeAtMs > sinceMs);
  for (const { call } of listed) counts[byRecorded[call?.outcome ?? 'unknown'] ?? 'failed'] += 1;
  counts.earlier = Math.max(0, used - listed.length);
  return counts;
}
