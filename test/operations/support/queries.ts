import { readFile } from 'node:fs/promises';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import { z } from 'zod';

const deploy = new URL('../../../deploy/', import.meta.url);

const dashboard = z.object({
  panels: z.array(z.object({ targets: z.array(z.object({ expr: z.string() })).default([]) })),
});

const ruleGroups = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string().optional(),
          record: z.string().optional(),
          expr: z.string(),
          labels: z.record(z.string(), z.string()).default({}),
          annotations: z.record(z.string(), z.string()).default({}),
        }),
      ),
    }),
  ),
});

export type Rule = z.output<typeof ruleGroups>['groups'][number]['rules'][number];

/** Every query of the dashboard, with all queues chosen. */
export async function dashboardQueries(): Promise<string[]> {
  const file = new URL('grafana/dashboards/investigation-queue.json', deploy);
  const { panels } = dashboard.parse(JSON.parse(await readFile(file, 'utf8')));
  return panels.flatMap(({ targets }) =>
    targets.map(({ expr }) => expr.replaceAll(/\$(tenant|operation)\b/g, '.*')),
  );
}

/** All rules of a file in deploy/prometheus. */
export async function readRules(name: 'rules.yml' | 'alerts.yml'): Promise<Rule[]> {
  const text = await readFile(new URL(`prometheus/${name}`, deploy), 'utf8');
  return ruleGroups.parse(parse(text)).groups.flatMap(({ rules }) => rules);
}

/** Every selector of series in rules and alerts, labels included. */
export async function metricsInAlerts(): Promise<string[]> {
  const rules = [...(await readRules('rules.yml')), ...(await readRules('alerts.yml'))];
  return [...new Set(rules.flatMap(({ expr }) => selectorsIn(expr)))];
}

/** The selectors of series in a query, labels included. */
export function selectorsIn(expr: string): string[] {
  const found: string[] = [];
  parser.parse(expr).iterate({
    enter({ name, from, to }) {
      if (name === 'VectorSelector') found.push(expr.slice(from, to));
    },
  });
  return found;
}
