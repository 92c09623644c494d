import type { Metric, MetricObjectWithValues, MetricValueWithName } from 'prom-client';
import { createWorkerMetrics } from '../observability/metrics.ts';

/** What a metric holds at the moment. */
export interface Readable {
  get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>>;
}

export type TestMetrics = ReturnType<typeof createTestMetrics>;

/** The metrics of one queue and its tenant, which can be read. */
export function createTestMetrics() {
  const { registry, ofQueue, ofTenant } = createWorkerMetrics();
  const queue = ofQueue({ tenant: 'default', operation: 'initiateInvestigation' });
  const { tokenRequests, oddRows } = ofTenant('default');
  const readable = <T extends object>(part: T, name: string): T & Readable => {
    const metric = registry.getSingleMetric(`diq_${name}`) as Metric & Readable;
    return Object.assign(part, { get: () => metric.get() });
  };
  return {
    registry,
    calls: readable(queue.calls, 'defender_calls_total'),
    throttled: readable(queue.throttled, 'defender_throttled_total'),
    reconciliations: readable(queue.reconciliations, 'reconciliations_total'),
    resultsEnded: readable(queue.resultsEnded, 'results_ended_total'),
    callDuration: readable(queue.callDuration, 'defender_call_duration_seconds'),
    dispatchLag: readable(queue.dispatchLag, 'dispatch_lag_seconds'),
    queueWait: readable(queue.queueWait, 'queue_wait_seconds'),
    slotsSaved: readable(queue.slotsSaved, 'slots_saved_total'),
    slotIdle: readable(queue.slotIdle, 'slot_idle_seconds_total'),
    interlockRefusals: readable(queue.interlockRefusals, 'quota_interlock_refusals_total'),
    tokenRequests: readable(tokenRequests, 'token_requests_total'),
    oddRows: readable(oddRows, 'defender_rows_unreadable_total'),
  };
}
