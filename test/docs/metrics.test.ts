import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { Registry } from 'prom-client';
import { createCallbackMetrics } from '../../services/intake-api/src/callbacks/callback-metrics.ts';
import { createMetrics } from '../../services/intake-api/src/observability/metrics.ts';
import { createWorkerMetrics } from '../../services/worker/src/observability/metrics.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const page = read('docs/metrics.md');

/** Names that dashboards and operators have written down: changing one is a breaking change. */
const promised = [
  'diq_requests_total{outcome}',
  'diq_requests_open{status}',
  'diq_requests_ended_total{status}',
  'diq_queue_oldest_wait_seconds',
  'diq_queue_wait_seconds',
  'diq_quota_limit',
  'diq_quota_used',
  'diq_quota_remaining',
  'diq_quota_next_slot_seconds',
  'diq_quota_interlock_refusals_total',
  'diq_slot_idle_seconds_total',
  'diq_hold_active{reason}',
  'diq_defender_calls_total{outcome}',
  'diq_defender_throttled_total{cause}',
  'diq_defender_call_duration_seconds',
  'diq_token_requests_total{outcome}',
  'diq_dispatch_lag_seconds',
  'diq_build_info{version,node}',
];

/** Their labels come with the requests (methods, routes and statuses are too many to foresee each), or with the first reading. */
const withoutSeriesAtFirst = [
  'diq_http_request_duration_seconds',
  'diq_quota_window_limit',
  'diq_quota_window_used',
];

/** What every metric of a queue has. */
const queueLabels = ['tenant', 'operation'];

/** Tells what runs, by its labels; it counts nothing. */
const info = 'diq_build_info';

interface Described {
  name: string;
  type: string;
  help: string;
  /** Whether each queue has a series of its own, with `tenant` and `operation`. */
  isOfQueue: boolean;
  /** Whether each tenant has one, with `tenant`. */
  isOfTenant: boolean;
  /** Beside these. */
  labelNames: string[];
  /** Of the label, if there is one; empty where no series exists. */
  labelValues: string[];
  values: number[];
}

async function describeAll(registry: Registry): Promise<Described[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics
    .filter(({ name }) => name.startsWith('diq_'))
    .map(({ name, type, help, values }) => {
      const labelNames: unknown = Reflect.get(registry.getSingleMetric(name) ?? {}, 'labelNames');
      assert.ok(Array.isArray(labelNames));
      const all = labelNames as string[];
      const isOfQueue = queueLabels.every((label) => all.includes(label));
      const isOfTenant = !isOfQueue && all.includes('tenant');
      const own = all.filter((label) => !queueLabels.includes(label));
      const ofLabel = values.flatMap(({ labels }) => labels[own[0] ?? ''] ?? []);
      return {
        name,
        type: String(type),
        help,
        isOfQueue,
        isOfTenant,
        labelNames: own,
        labelValues: own.length === 1 ? ofLabel.map(String) : [],
        values: values.map(({ value }) => value),
      };
    });
}

async function everything() {
  const metrics = createMetrics();
  metrics.showQueue({ tenant: 'default', operation: 'initiateInvestigation' });
  const intake = metrics.registry;
  createCallbackMetrics(intake);
  const { registry: worker, ofQueue, ofTenant } = createWorkerMetrics();
  ofQueue({ tenant: 'default', operation: 'initiateInvestigation' });
  ofTenant('default');
  return { intake: await describeAll(intake), worker: await describeAll(worker) };
}

/** The rows of the table under a heading, cell by cell, without the table's head. */
function rowsUnder(heading: string): string[][] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) => {
    const cells = line.split('|').slice(1, -1);
    return cells.map((cell) => cell.trim());
  });
}

const byName = (rows: readonly string[][]) =>
  rows.toSorted(([one = ''], [other = '']) => one.localeCompare(other));

const code = (text: string) => `\`${text}\``;

function rowOf({ name, type, help, isOfQueue, isOfTenant, labelNames, labelValues }: Described): string[] {
  const values = labelValues.length > 0 ? `: ${labelValues.map(code).join(', ')}` : '';
  const queue = isOfQueue ? ['queue'] : isOfTenant ? ['tenant'] : [];
  const own = labelNames.length === 0 ? [] : [`${labelNames.map(code).join(', ')}${values}`];
  const labels = [...queue, ...own].join('; ') || '–';
  return [code(name), type, labels, help];
}

describe('docs/metrics.md', () => {
  for (const service of ['intake', 'worker'] as const) {
    it(`says of each metric of the ${service} word for word what the code says, and of no other`, async () => {
      const described = (await everything())[service];
      const heading = `Metrics of the ${service}`;
      assert.deepEqual(byName(rowsUnder(heading)), byName(described.map(rowOf)));
    });
  }

  it('has every series that the rules record, with its labels, and no other', () => {
    const rules = read('deploy/prometheus/rules.yml')
      .split(/^ +- record: /m)
      .slice(1);
    const recorded = rules.map((rule) => {
      const [name = ''] = rule.split('\n');
      const [, by = ''] = /\b(?:max|min|sum|bottomk) by \(([^)]*)\)/.exec(rule) ?? [];
      const labels = by.split(', ').filter((label) => label !== '');
      if (name === 'diq:freshest_reading:seconds') labels.push('job', 'instance');
      if (/labels: \{ reason/.test(rule)) labels.push('reason');
      const own = labels.filter((label) => !queueLabels.includes(label)).map(code);
      const isOfQueue = queueLabels.every((label) => labels.includes(label));
      return [
        code(name),
        [...(isOfQueue ? ['queue'] : []), ...(own.length > 0 ? [own.join(', ')] : [])].join('; ') || '–',
      ];
    });
    const once = [...new Set(recorded.map((row) => row.join('|')))].map((row) => row.split('|'));
    const documented = rowsUnder('Recorded series').map(([name = '', labels = '']) => [name, labels]);
    assert.deepEqual(byName(documented), byName(once));
  });

  it('says of each value of each label what it means', async () => {
    const { intake, worker } = await everything();
    const wanted: string[][] = [...intake, ...worker].flatMap(({ name, labelNames, labelValues }) =>
      labelValues.map((value) => [code(`${name}{${labelNames[0]}="${value}"}`)]),
    );
    const documented = rowsUnder('What the values of labels mean').map(([selector = '']) => [selector]);
    assert.deepEqual(byName(documented), byName(wanted));
  });
});

describe('the metrics of intake and worker', () => {
  it('have every name that is promised', async () => {
    const { intake, worker } = await everything();
    const names = [...intake, ...worker].map(({ name, labelNames }) =>
      labelNames.length === 0 ? name : `${name}{${labelNames.join(',')}}`,
    );
    assert.deepEqual(
      promised.filter((name) => !names.includes(name)),
      [],
    );
  });

  it('come with those of the process', async () => {
    for (const { registry } of [createMetrics(), createWorkerMetrics()]) {
      const names = (await registry.getMetricsAsJSON()).map(({ name }) => name);
      for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes']) {
        assert.ok(names.includes(name), name);
      }
    }
  });

  it('have every series from the start, at zero', async () => {
    const { intake, worker } = await everything();
    for (const { name, values, labelNames, labelValues } of [...intake, ...worker]) {
      if (withoutSeriesAtFirst.includes(name) || name === info) continue;
      assert.ok(values.length > 0, `${name} has no series`);
      assert.equal(labelNames.length > 0, labelValues.length > 0, name);
      // Its reading is as old as the process.
      if (name !== 'diq_state_age_seconds') assert.deepEqual([...new Set(values)], [0], name);
    }
  });

  it('each say what it means when they rise', async () => {
    const { intake, worker } = await everything();
    for (const { name, help } of [...intake, ...worker]) {
      if (name !== info) assert.match(help, /\b[Rr]is(ing|en|es|e)\b/, name);
    }
  });

  it('are what alerts, dashboard and documents speak of', async () => {
    const { intake, worker } = await everything();
    const names = new Set([...intake, ...worker].map(({ name }) => name));
    const changed = /^\| metric[^|]*\| `(diq_\w+)`/gm;
    const old = new Set([...read('CHANGELOG.md').matchAll(changed)].map(([, name]) => name));
    const files = [
      'deploy/prometheus/rules.yml',
      'deploy/prometheus/alerts.yml',
      'deploy/grafana/dashboards/investigation-queue.json',
      ...readdirSync(new URL('docs/', root))
        .filter((name) => name.endsWith('.md'))
        .map((name) => `docs/${name}`),
      'shared/quota/README.md',
      'CHANGELOG.md',
    ];
    for (const file of files) {
      const text = read(file);
      const spoken = [...text.matchAll(/\bdiq_[a-z0-9_]*[a-z0-9]/g)].map(([name]) => name);
      const isOld = (name: string) => file === 'CHANGELOG.md' && old.has(name);
      const unknown = spoken.filter(
        (name) => !names.has(name.replace(/_(bucket|sum|count)$/, '')) && !isOld(name),
      );
      assert.deepEqual(unknown, [], file);
    }
  });
});
