import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { slotSavings } from '@diq/queue/tasks/task-store.ts';
import { endOutcomes } from '@diq/contracts/result-outcome.ts';
import { throttleCauses } from '@diq/quota/ledger/answers-and-holds.ts';
import { readLimits } from '@diq/quota/reads/read-budget.ts';
import { nameOf, type Queue } from '@diq/tenants/tenant.ts';
import { registerBuildInfo } from '@diq/runtime/build-info.ts';
import { callOutcomes } from '../defender/classify-response.ts';
import { lists } from '../defender/defender-reader.ts';
import { tokenRequestOutcomes } from '../defender/auth/token-provider.ts';

/** Label values of `diq_reconciliations_total{outcome}`. */
export const reconciliationOutcomes = ['found', 'attached', 'retried', 'failed', 'unknown'] as const;

export type ReconciliationOutcome = (typeof reconciliationOutcomes)[number];

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;

const readWindows = readLimits(1).map(({ windowMs }) => `${windowMs / 1_000}s`);

/** Seconds; the calls of one window wait from moments to days. Few: each is a series of each queue. */
const waitBuckets = [1, 10, 60, 600, 3_600, 14_400, 86_400, 345_600];
const lagBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
const callBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const ofQueue = ['tenant', 'operation'] as const;

/** The labels of a queue's series. */
export type QueueLabels = Pick<Queue, 'tenant' | 'operation'>;

/** The metrics of one queue. */
export type QueueMetrics = ReturnType<WorkerMetrics['ofQueue']>;

/** The metrics of what the queues of a tenant share. */
export type TenantMetrics = ReturnType<WorkerMetrics['ofTenant']>;

/** Queues whose histograms exist before their first call: those of many are too many for a scrape, and most have no call. */
const mostHistogramsAtFirst = 10;

/** The worker's metrics, in a registry of their own; those of a queue or tenant exist from when it is named until it is forgotten. */
export function createWorkerMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  registerBuildInfo(registry);

  const calls = new Counter({
    name: 'diq_defender_calls_total',
    help: 'Calls to Defender by outcome; all but "not_sent" rise by at most the quota in any window. Any but "started" rising: calls that gave no investigation id.',
    labelNames: [...ofQueue, 'outcome'] as const,
    registers,
  });
  const throttled = new Counter({
    name: 'diq_defender_throttled_total',
    help: 'Calls answered 429. "own" rising: the quota is set too high. "external" rising: another program uses it too. "unclear" rising: one of both.',
    labelNames: [...ofQueue, 'cause'] as const,
    registers,
  });
  const tokenRequests = new Counter({
    name: 'diq_token_requests_total',
    help: 'Requests for an access token by outcome. "rejected" rising: an administrator must act. "failed" rising: Entra ID is in trouble.',
    labelNames: ['tenant', 'outcome'] as const,
    registers,
  });
  const reconciliations = new Counter({
    name: 'diq_reconciliations_total',
    help: 'Calls that were looked up in Defender because their answer named no investigation, by result. Rising: answers get lost. "unknown" rising: an operator must look at the machines.',
    labelNames: [...ofQueue, 'outcome'] as const,
    registers,
  });
  const resultsEnded = new Counter({
    name: 'diq_results_ended_total',
    help: 'Results of calls whose end was observed, by outcome. "failed" rising: Defender does not do what was asked. "unknown" rising: its end was not observed; look at the machines.',
    labelNames: [...ofQueue, 'outcome'] as const,
    registers,
  });
  const oddRows = new Counter({
    name: 'diq_defender_rows_unreadable_total',
    help: "Rows of Defender's lists that could not be read and were passed over, by list. Rising: what became of calls whose answer was lost may stay unknown; see the log for how many of how many.",
    labelNames: ['tenant', 'list'] as const,
    registers,
  });
  const readsUsed = new Gauge({
    name: 'diq_reads_used',
    help: 'Reads of Defender that count in one rolling window, of all workers together, by its length; of several tenants the most. As of the last read of this worker, 0 one window after it; counted anew each minute from half of the share on. Risen to its share of 100 a minute or 1,500 an hour (DEFENDER_READ_SHARE): look-ups wait.',
    labelNames: ['window'] as const,
    registers,
  });
  for (const window of readWindows) readsUsed.set({ window }, 0);
  const readsOfTenants = new Map<string, readonly number[]>();
  const readsRefused = new Counter({
    name: 'diq_reads_refused_total',
    help: 'Reads of Defender that were not made for now: the budget of all workers was used up, Defender asked for a pause, or Redis was away. Rising: look-ups of lost answers take longer.',
    registers,
  });
  const callDuration = new Histogram({
    name: 'diq_defender_call_duration_seconds',
    help: 'From asking to call until the outcome, connecting included. Rising towards the call timeout: answers get lost.',
    buckets: callBuckets,
    labelNames: ofQueue,
    registers,
  });
  const dispatchLag = new Histogram({
    name: 'diq_dispatch_lag_seconds',
    help: 'From the moment a slot was open and work was ready until the permit was spent, for calls that left. Rising: slots are wasted.',
    buckets: lagBuckets,
    labelNames: ofQueue,
    registers,
  });
  const queueWait = new Histogram({
    name: 'diq_queue_wait_seconds',
    help: "From a task's first request until its permit was spent, for calls that left. Rising: more is asked for than the quota gives.",
    buckets: waitBuckets,
    labelNames: ofQueue,
    registers,
  });
  const slotIdle = new Counter({
    name: 'diq_slot_idle_seconds_total',
    help: 'Time during which a slot was free although work was ready and no hold was on, as this worker sees it. Rising: calls are lost.',
    labelNames: ofQueue,
    registers,
  });
  const interlockRefusals = new Counter({
    name: 'diq_quota_interlock_refusals_total',
    help: 'Permits the limiter gave and the ledger refused. Never expected; rising: clocks or limiter state have gone astray.',
    labelNames: ofQueue,
    registers,
  });
  const slotsSaved = new Counter({
    name: 'diq_slots_saved_total',
    help: 'Tasks that ended without a call, because a look shortly before showed that it would be for nothing. "machine_unknown" rising: callers name machines that Defender does not know.',
    labelNames: [...ofQueue, 'reason'] as const,
    registers,
  });
  const histograms = [callDuration, dispatchLag, queueWait];
  const lives = { queues: new Map<string, Life>(), tenants: new Map<string, Life>() };

  function showMostReads(): void {
    for (const [i, window] of readWindows.entries()) {
      const most = Math.max(0, ...[...readsOfTenants.values()].map((reads) => reads[i] ?? 0));
      readsUsed.set({ window }, most);
    }
  }

  return {
    registry,
    /** Those of one queue, which exist from now on. */
    ofQueue({ tenant, operation }: QueueLabels) {
      const labels = { tenant, operation };
      const life = lifeOf(lives.queues, nameOf(labels));
      const observing = (histogram: typeof queueWait) => ({
        observe: (seconds: number): void => {
          if (!life.isOver) histogram.observe(labels, seconds);
        },
      });
      if (lives.queues.size <= mostHistogramsAtFirst) for (const one of histograms) one.zero(labels);
      return {
        calls: partOf(calls, life, labels, 'outcome', callOutcomes),
        throttled: partOf(throttled, life, labels, 'cause', throttleCauses),
        reconciliations: partOf(reconciliations, life, labels, 'outcome', reconciliationOutcomes),
        resultsEnded: partOf(resultsEnded, life, labels, 'outcome', endOutcomes),
        callDuration: observing(callDuration),
        dispatchLag: observing(dispatchLag),
        queueWait: observing(queueWait),
        slotsSaved: partOf(slotsSaved, life, labels, 'reason', slotSavings),
        slotIdle: plainPartOf(slotIdle, life, labels),
        interlockRefusals: plainPartOf(interlockRefusals, life, labels),
      };
    },
    /** Those of one tenant, which exist from now on. */
    ofTenant(tenant: string) {
      const life = lifeOf(lives.tenants, tenant);
      return {
        tokenRequests: partOf(tokenRequests, life, { tenant }, 'outcome', tokenRequestOutcomes),
        oddRows: partOf(oddRows, life, { tenant }, 'list', lists),
        readsRefused,
        /**
         * Of all tenants the most of each window.
         *
         * @param used by limit, as the budget has them
         */
        showReadsUsed(used: readonly number[]): void {
          if (life.isOver) return;
          readsOfTenants.set(tenant, used);
          showMostReads();
        },
      };
    },
    /** Removes the series of a queue; what is still counted for it is not shown. Named again, it begins at zero. */
    forgetQueue({ tenant, operation }: QueueLabels): void {
      const labels = { tenant, operation };
      endLife(lives.queues, nameOf(labels));
      for (const one of [...histograms, slotIdle, interlockRefusals]) one.remove(labels);
      removeParts(calls, labels, 'outcome', callOutcomes);
      removeParts(throttled, labels, 'cause', throttleCauses);
      removeParts(reconciliations, labels, 'outcome', reconciliationOutcomes);
      removeParts(resultsEnded, labels, 'outcome', endOutcomes);
      removeParts(slotsSaved, labels, 'reason', slotSavings);
    },
    /** The same for what the queues of a tenant share. */
    forgetTenant(tenant: string): void {
      endLife(lives.tenants, tenant);
      removeParts(tokenRequests, { tenant }, 'outcome', tokenRequestOutcomes);
      removeParts(oddRows, { tenant }, 'list', lists);
      if (readsOfTenants.delete(tenant)) showMostReads();
    },
  };
}

/** From naming a queue or tenant until it is forgotten: what ends later must not bring its series back. */
interface Life {
  isOver: boolean;
}

function lifeOf(lives: Map<string, Life>, name: string): Life {
  const life = lives.get(name) ?? { isOver: false };
  lives.set(name, life);
  return life;
}

function endLife(lives: Map<string, Life>, name: string): void {
  const life = lives.get(name);
  if (life) life.isOver = true;
  lives.delete(name);
}

function removeParts(
  counter: Pick<Counter, 'remove'>,
  base: Readonly<Record<string, string>>,
  label: string,
  values: readonly string[],
): void {
  for (const value of values) counter.remove({ ...base, [label]: value });
}

/** The part of a counter with these labels: by its only other one, each of whose values exists from now on. */
function partOf<Label extends string, Value extends string>(
  counter: Pick<Counter, 'inc'>,
  life: Life,
  base: Readonly<Record<string, string>>,
  label: Label,
  values: readonly Value[],
) {
  for (const value of values) counter.inc({ ...base, [label]: value }, 0);
  return {
    inc: (own: Readonly<Record<Label, Value>>, by = 1): void => {
      if (!life.isOver) counter.inc({ ...base, ...own }, by);
    },
  };
}

function plainPartOf<Base extends string>(counter: Counter<Base>, life: Life, base: Record<Base, string>) {
  counter.inc(base, 0);
  return {
    inc: (by = 1): void => {
      if (!life.isOver) counter.inc(base, by);
    },
  };
}
