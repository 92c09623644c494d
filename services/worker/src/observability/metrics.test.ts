import assert from 'node:assert/strict';
import { slotSavings } from '@diq/queue/tasks/task-store.ts';
import { throttleCauses } from '@diq/quota/ledger/answers-and-holds.ts';
import { callOutcomes } from '../defender/classify-response.ts';
import { lists } from '../defender/defender-reader.ts';
import { tokenRequestOutcomes } from '../defender/auth/token-provider.ts';
import { createWorkerMetrics, reconciliationOutcomes } from './metrics.ts';

const queue = { tenant: 'contoso', operation: 'initiateInvestigation' } as const;
const labels = 'tenant="contoso",operation="initiateInvestigation"';

/** Our own samples by series, without the buckets of histograms and without the version, which is no count. */
async function samples(): Promise<Map<string, number>> {
  const metrics = createWorkerMetrics();
  metrics.ofQueue(queue);
  metrics.ofTenant(queue.tenant);
  const text = await metrics.registry.metrics();
  const lines = text.split('\n').filter((line) => /^diq_(?!build_info)\w+(?<!_bucket)[ {]/.test(line));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

describe('the metrics of the worker', () => {
  it('are all there from the start, at zero, under the names that dashboards know', async () => {
    const histograms = [
      'diq_defender_call_duration_seconds',
      'diq_dispatch_lag_seconds',
      'diq_queue_wait_seconds',
    ].flatMap((name) => [`${name}_sum{${labels}}`, `${name}_count{${labels}}`]);
    const expected = [
      ...callOutcomes.map((outcome) => `diq_defender_calls_total{${labels},outcome="${outcome}"}`),
      ...throttleCauses.map((cause) => `diq_defender_throttled_total{${labels},cause="${cause}"}`),
      ...reconciliationOutcomes.map((outcome) => `diq_reconciliations_total{${labels},outcome="${outcome}"}`),
      ...lists.map((list) => `diq_defender_rows_unreadable_total{tenant="contoso",list="${list}"}`),
      ...tokenRequestOutcomes.map(
        (outcome) => `diq_token_requests_total{tenant="contoso",outcome="${outcome}"}`,
      ),
      ...histograms,
      ...slotSavings.map((reason) => `diq_slots_saved_total{${labels},reason="${reason}"}`),
      ...['succeeded', 'failed', 'cancelled', 'unknown'].map(
        (outcome) => `diq_results_ended_total{${labels},outcome="${outcome}"}`,
      ),
      `diq_slot_idle_seconds_total{${labels}}`,
      `diq_quota_interlock_refusals_total{${labels}}`,
      'diq_reads_refused_total',
      'diq_reads_used{window="3600s"}',
      'diq_reads_used{window="60s"}',
    ];
    const found = await samples();
    assert.deepEqual([...found.keys()].toSorted(), expected.toSorted());
    assert.deepEqual([...new Set(found.values())], [0]);
  });

  it('have the outcomes of reconciliation that dashboards know', () => {
    assert.deepEqual(reconciliationOutcomes, ['found', 'attached', 'retried', 'failed', 'unknown']);
  });

  it('have the reasons for which a slot is saved that the contract names', () => {
    assert.deepEqual(slotSavings, ['machine_unknown', 'already_covered']);
  });

  it('have the causes of throttling that the contract names', () => {
    assert.deepEqual(throttleCauses, ['own', 'external', 'unclear']);
  });

  it('come with those of the process', async () => {
    assert.match(await createWorkerMetrics().registry.metrics(), /^process_cpu_seconds_total /m);
  });

  it('go with their queue and its tenant, however often they come back, and come back at zero', async () => {
    const metrics = createWorkerMetrics();
    const text = () => metrics.registry.metrics();
    const series = async () => (await text()).split('\n').filter((line) => line.startsWith('diq_'));
    const before = await series();
    const names = Array.from({ length: 200 }, (_, i) => ({ ...queue, tenant: `tenant-${i}` }));
    for (let round = 0; round < 3; round += 1) {
      const all = names.map((name) => ({
        own: metrics.ofQueue(name),
        ofTenant: metrics.ofTenant(name.tenant),
      }));
      const name = 'diq_defender_calls_total';
      const calls = (await metrics.registry.getSingleMetric(name)?.get())?.values ?? [];
      assert.equal(calls.length, names.length * callOutcomes.length);
      assert.deepEqual([...new Set(calls.map(({ value }) => value))], [0]);
      const write = () => {
        for (const { own, ofTenant } of all) {
          own.calls.inc({ outcome: 'started' });
          own.callDuration.observe(1);
          own.slotIdle.inc();
          ofTenant.showReadsUsed([7, 70]);
        }
      };
      write();
      names.forEach(metrics.forgetQueue);
      for (const { tenant } of names) metrics.forgetTenant(tenant);
      write();
      assert.deepEqual(await series(), before, 'also those of what ends later');
    }
  });

  it('are counted apart by each worker, also within one process, and by each queue', async () => {
    const [one, other] = [createWorkerMetrics(), createWorkerMetrics()];
    one.ofQueue(queue).interlockRefusals.inc();
    one.ofQueue({ ...queue, tenant: 'fabrikam' });
    other.ofQueue(queue);
    const name = 'diq_quota_interlock_refusals_total';
    const [written, others] = await Promise.all(
      [one, other].map(({ registry }) => registry.getSingleMetricAsString(name)),
    );
    assert.match(written ?? '', /tenant="contoso".*} 1$/m);
    assert.match(written ?? '', /tenant="fabrikam".*} 0$/m);
    assert.match(others ?? '', /tenant="contoso".*} 0$/m);
  });
});
