import { readFile } from 'node:fs/promises';
import { format } from 'prettier';
import { parse, stringify } from 'yaml';
import { grafanaAlertRules } from './alert-rules.ts';
import { createDashboard } from './dashboard.ts';

/** A file that is made from the sources here; a test holds the repository's copy against it. */
export interface GeneratedFile {
  readonly url: URL;
  readonly text: string;
}

const inGrafana = (path: string) => new URL(`../${path}`, import.meta.url);
const inComponent = (file: string) =>
  new URL(`../../kubernetes/components/prometheus-operator/${file}`, import.meta.url);
const printWidth = 110;

export async function generatedFiles(): Promise<GeneratedFile[]> {
  const alerts: unknown = parse(
    await readFile(new URL('../../prometheus/alerts.yml', import.meta.url), 'utf8'),
  );
  const recording: unknown = parse(
    await readFile(new URL('../../prometheus/rules.yml', import.meta.url), 'utf8'),
  );
  const dashboard = JSON.stringify(createDashboard());
  const rules = `# Made from ../../../prometheus/alerts.yml by npm run dashboards.\n${stringify(grafanaAlertRules(alerts), { lineWidth: 0 })}`;
  return [
    {
      url: inGrafana('dashboards/investigation-queue.json'),
      text: await format(dashboard, { parser: 'json', printWidth }),
    },
    {
      url: inGrafana('provisioning/alerting/rules.yml'),
      text: await format(rules, { parser: 'yaml', printWidth, singleQuote: true }),
    },
    {
      url: inComponent('prometheus-rules.yaml'),
      text: await manifests('../../../prometheus', [
        prometheusRule('investigation-queue-rules', recording),
        prometheusRule('investigation-queue-alerts', alerts),
      ]),
    },
    {
      url: inComponent('dashboard.yaml'),
      text: await manifests('../../../grafana/source', [dashboardMap(dashboard)]),
    },
  ];
}

async function manifests(from: string, documents: readonly object[]): Promise<string> {
  const text = documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n');
  const head = `# Made from ${from} by npm run dashboards.\n`;
  return format(head + text, { parser: 'yaml', printWidth, singleQuote: true });
}

/** As the Prometheus operator takes the rules of a file. */
function prometheusRule(name: string, spec: unknown): object {
  return { apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata: { name }, spec };
}

/** As the sidecar of Grafana's chart finds it, by its label. */
function dashboardMap(dashboard: string): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'investigation-queue-dashboard', labels: { grafana_dashboard: '1' } },
    data: { 'investigation-queue.json': dashboard },
  };
}
