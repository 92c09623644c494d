import assert from 'node:assert/strict';
import { setImmediate as afterOthers } from 'node:timers/promises';
import type { Queue } from '@diq/tenants/tenant.ts';
import { createWorkerMetrics } from '../observability/metrics.ts';
import { createForgetSeries } from './forget-series.ts';
import { presentOf } from './present-tenants.ts';

const queueNamed = (tenant: string): Queue => ({
  tenant,
  tenantId: tenant,
  operation: 'initiateInvestigation',
  limits: [],
  reserveForCritical: 0,
  keySpace: tenant,
  tag: tenant,
});

describe('the series of queues that are over', () => {
  function start(count: number) {
    const metrics = createWorkerMetrics();
    const queues = Array.from({ length: count }, (_, i) => queueNamed(`tenant-${i}`));
    for (const queue of queues) metrics.ofQueue(queue);
    const busy: Queue[] = [];
    const forget = createForgetSeries({ metrics, present: () => presentOf([]), busy: () => busy });
    const shown = async () => {
      const { values } = (await metrics.registry.getSingleMetric('diq_slot_idle_seconds_total')?.get()) ?? {};
      return (values ?? []).map(({ labels }) => String(labels['tenant']));
    };
    return { queues, busy, forget, shown };
  }

  it('go some at a time, so that other work has its turns', async () => {
    const { queues, forget, shown } = start(600);
    for (const queue of queues.slice(0, 10)) forget([queue]);
    forget(queues.slice(10));
    const seen: number[] = [];
    do {
      await afterOthers();
      seen.push((await shown()).length);
    } while (seen.at(-1) !== 0);
    assert.ok(new Set(seen).size >= 5, `left after each turn: ${seen.join(', ')}`);
  });

  it('stay where something is left to be done', async () => {
    const { queues, busy, forget, shown } = start(3);
    busy.push(...queues.slice(1, 2));
    forget(queues);
    await afterOthers();
    assert.deepEqual(await shown(), ['tenant-1']);
  });
});
