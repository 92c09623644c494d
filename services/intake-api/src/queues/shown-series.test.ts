import assert from 'node:assert/strict';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { Queue, Tenant } from '@diq/tenants/tenant.ts';
import { createMetrics } from '../observability/metrics.ts';
import { createQueueDirectory } from './queue-directory.ts';
import { createShownSeries } from './shown-series.ts';

const rules = { limits: [{ calls: 5, windowMs: 3_600_000 }], reserveForCritical: 0 };

const tenantsNamed = (...names: string[]): Tenant[] =>
  names.map((name) => ({
    name,
    tenantId: name,
    defaultOperation: 'initiateInvestigation',
    operations: new Map([['initiateInvestigation', rules]]),
  }));

describe('the queues that have series', () => {
  function start(
    tenants: Tenant[],
    hasWork: (queues: readonly Queue[]) => Promise<Queue[]> = async () => [],
  ) {
    const directory = createQueueDirectory(tenants);
    const metrics = createMetrics();
    const marked: string[] = [];
    const busy = { mark: ({ tag }: Pick<Queue, 'tag'>) => void marked.push(tag) };
    const layouts = { isForeign: () => false };
    const series = createShownSeries({ directory, layouts, busy, hasWork, metrics });
    const shown = async () => {
      const text = await metrics.registry.getSingleMetricAsString('diq_results_open');
      return [...text.matchAll(/tenant="([^"]+)"/g)].map(([, tenant]) => tenant);
    };
    const untilShown = (count: number) =>
      waitFor(async () => (await shown()).length === count, { what: `${count} queues`, intervalMs: 1 });
    return { directory, series, marked, shown, untilShown };
  }

  it('are those of the last settings, however fast they change', async () => {
    const many = Array.from({ length: 200 }, (_, i) => `tenant-${i}`);
    const { directory, series, shown, untilShown } = start(tenantsNamed(...many));
    series.show();
    directory.setTenants(tenantsNamed('one', 'tenant-7'));
    series.show();
    directory.setTenants(tenantsNamed('one', 'two'), tenantsNamed(...many));
    series.show();
    await untilShown(2);
    assert.deepEqual(await shown(), ['one', 'two']);
  });

  it('are not all written or removed at once, where many tenants come or go', async () => {
    const many = tenantsNamed(...Array.from({ length: 500 }, (_, i) => `tenant-${i}`));
    const { directory, series, untilShown, shown } = start(many);
    for (const [tenants, earlier, count] of [
      [many, [], 500],
      [[], many, 0],
    ] as const) {
      directory.setTenants([...tenants], [...earlier]);
      let turns = 0;
      let isOver = false;
      const takeTurn = () => {
        turns += 1;
        if (!isOver) setImmediate(takeTurn);
      };
      series.show();
      setImmediate(takeTurn);
      await untilShown(count);
      isOver = true;
      assert.ok(turns >= 10, `${turns} turns`);
      assert.equal((await shown()).length, count);
    }
  });

  it('of a removed one stay while something is open in it, and it is read until then', async () => {
    const [one, two] = tenantsNamed('one', 'two') as [Tenant, Tenant];
    const { directory, series, marked, untilShown, shown } = start([one, two], async (queues) =>
      queues.filter(({ tenant }) => tenant === 'one'),
    );
    series.show();
    await untilShown(2);
    directory.setTenants([], [one, two]);
    series.show();
    await untilShown(1);
    const queue = directory.queues().find(({ tenant }) => tenant === 'one');
    assert.ok(queue);
    assert.deepEqual([await shown(), marked], [['one'], [queue.tag]]);
    for (const dispatching of [1, 0]) {
      series.saw(queue, { backlog: { counts: { dispatching } } } as never);
      assert.equal((await shown()).length, dispatching);
    }
  });
});
