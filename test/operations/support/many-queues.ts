import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { dashboardQueries } from './queries.ts';

const run = promisify(execFile);
const rules = fileURLToPath(new URL('../../../deploy/prometheus/', import.meta.url));

/** Samples, one a minute, by metric and own labels. */
type ManySeries = Readonly<Record<string, string>>;

interface ManyQueues {
  queues: number;
  /** Of each queue, such as `diq_quota_limit` or `diq_hold_active{reason="failing"}`. */
  ofEach: ManySeries;
  /** Of processes. */
  others: ManySeries;
  atMinute: number;
  /** Names of the alerts that fire then, each once, and no other. */
  firing: readonly string[];
  /** How many rows each query of the dashboard's table of queues gives then. */
  mostRows?: number;
}

/**
 * Has promtool evaluate rules and alerts over so many queues.
 *
 * @throws Error with what promtool says, where other alerts fire
 */
export async function evaluateManyQueues(options: ManyQueues): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'diq-many-queues-'));
  const { atMinute, firing, mostRows } = options;
  const alerts = {
    expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
    eval_time: `${atMinute}m`,
    exp_samples: firing.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
  };
  const tables = (await dashboardQueries()).filter((query) => query.includes('topk('));
  const rows = tables.map((query) => ({
    expr: `count(${query})`,
    eval_time: `${atMinute}m`,
    exp_samples: [{ labels: '{}', value: mostRows }],
  }));
  const test = {
    rule_files: [join(rules, 'rules.yml'), join(rules, 'alerts.yml')],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: seriesOf(options),
        promql_expr_test: [alerts, ...(mostRows === undefined ? [] : rows)],
      },
    ],
  };
  try {
    const file = join(dir, 'many-queues.yml');
    await writeFile(file, stringify(test));
    await run('promtool', ['test', 'rules', file]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function seriesOf({ queues, ofEach, others }: ManyQueues) {
  const series = Object.entries(others).map(([selector, values]) => ({ series: selector, values }));
  for (let i = 0; i < queues; i += 1) {
    const labels = `tenant="tenant-${i}",operation="runAntiVirusScan",job="intake",instance="a"`;
    for (const [selector, values] of Object.entries(ofEach)) {
      const [metric = '', own = ''] = selector.split(/[{}]/);
      series.push({ series: `${metric}{${labels}${own === '' ? '' : `,${own}`}}`, values });
    }
  }
  return series;
}
