import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { createDashboard } from '../../deploy/grafana/source/dashboard.ts';
import { generatedFiles } from '../../deploy/grafana/source/generated.ts';
import { readCompose } from '../deploy/support/compose.ts';
import { dashboardQueries, readRules, selectorsIn } from './support/queries.ts';

const alertFile = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({ uid: z.string(), title: z.string(), annotations: z.record(z.string(), z.string()) }),
      ),
    }),
  ),
});

describe('what Grafana is provisioned with', () => {
  it('is what its sources make: run "npm run dashboards" after a change', async () => {
    for (const { url, text } of await generatedFiles()) {
      assert.equal(await readFile(url, 'utf8'), text, url.pathname);
    }
  });

  it('has rows whose panels stand side by side over all 24 columns, none over another', () => {
    const { panels } = createDashboard();
    const cells = new Map<string, string>();
    const perLine = new Map<number, number>();
    for (const { title = '', gridPos } of panels ?? []) {
      assert.ok(gridPos && gridPos.w > 0 && gridPos.h > 0, title);
      const { x: left, y: top, w, h } = gridPos;
      for (let y = top; y < top + h; y += 1) {
        for (let x = left; x < left + w; x += 1) {
          assert.ok(x < 24, `"${title}" ends behind the last column`);
          assert.equal(cells.get(`${x},${y}`), undefined, `"${title}" lies over another panel`);
          cells.set(`${x},${y}`, title);
          perLine.set(y, (perLine.get(y) ?? 0) + 1);
        }
      }
    }
    const height = Math.max(...perLine.keys()) + 1;
    assert.deepEqual(
      Array.from({ length: height }, (_, y) => perLine.get(y)),
      Array.from({ length: height }, () => 24),
    );
  });

  it('shows whole events: what Prometheus extrapolates is rounded, and what counts against the limit is recorded', async () => {
    const queries = await dashboardQueries();
    for (const query of queries.filter((text) => /\b(increase|delta)\(/.test(text))) {
      assert.match(query, /^round\(/);
    }
    const againstLimit = (createDashboard().panels ?? []).filter(({ title = '' }) => /limit\b/i.test(title));
    assert.ok(againstLimit.length >= 3);
    const names = /\bdiq:quota_(used|limit|slots):count\b/;
    for (const { targets = [] } of againstLimit as { targets?: { expr?: string }[] }[]) {
      for (const { expr = '' } of targets) {
        assert.match(expr, names);
        assert.doesNotMatch(expr, /\b(rate|increase|delta)\(/);
      }
    }
    const rules = (await readRules('rules.yml')).filter(({ record = '' }) => names.test(record));
    assert.equal(rules.length, 3);
    for (const { expr } of rules) assert.doesNotMatch(expr, /\b(rate|increase|delta)\(/);
  });

  it('shows waiting tasks by priority', async () => {
    const queries = await dashboardQueries();
    assert.ok(queries.some((query) => query.startsWith('sum by (priority) (diq:tasks_waiting:count{')));
  });

  it('shows the queues that are chosen: each of its queries about queues asks for tenant and operation', async () => {
    const { templating } = createDashboard();
    assert.deepEqual(
      (templating?.list ?? []).map(({ name, multi, includeAll, allValue }) => [
        name,
        multi,
        includeAll,
        allValue,
      ]),
      [
        ['tenant', true, true, '.*'],
        ['operation', true, true, '.*'],
      ],
    );
    const ofProcesses =
      /^(diq_http_|diq_callbacks_|diq_state_age_seconds|diq:objective_|up\b|process_|nodejs_)/;
    const selectors = (createDashboard().panels ?? [])
      .flatMap((panel) => ('targets' in panel ? (panel.targets as { expr?: string }[]) : []))
      .flatMap(({ expr = '' }) => selectorsIn(expr));
    const ofQueues = selectors.filter((selector) => !ofProcesses.test(selector));
    assert.ok(ofQueues.length > 20 && ofQueues.length < selectors.length);
    for (const selector of ofQueues) {
      assert.match(selector, /\{tenant=~"\$tenant",operation=~"\$operation"[,}]/);
    }
  });

  it('has a table of at most 50 queues, those that wait longest', () => {
    const table = createDashboard().panels?.find((panel) => panel.type === 'table');
    const targets = ((table && 'targets' in table ? table.targets : undefined) ?? []) as { expr?: string }[];
    assert.equal(targets.length, 6);
    for (const { expr = '' } of targets) assert.match(expr, /topk\(50, diq:oldest_wait:seconds\{/);
  });

  it('alerts on the same as Prometheus does', async () => {
    const alerts = await readRules('alerts.yml');
    const text = await readProvisioned('alerting/rules.yml');
    const titles = alertFile
      .parse(parse(text))
      .groups.flatMap(({ rules }) => rules.map(({ title }) => title));
    assert.deepEqual(
      titles,
      alerts.map(({ alert }) => alert),
    );
  });

  it('links each alert to its heading of the runbook, wherever that can be read', async () => {
    const { groups } = alertFile.parse(parse(await readProvisioned('alerting/rules.yml')));
    for (const { title, annotations } of groups.flatMap(({ rules }) => rules)) {
      const link = `\${RUNBOOKS_URL}docs/runbook.md#${title.toLowerCase()}`;
      assert.equal(annotations['runbook_url'], link);
    }
    assert.match(readCompose().services['grafana']?.environment['RUNBOOKS_URL'] ?? '', /\/\}$/);
  });

  it('names no variable of the environment but where things are', async () => {
    const files = ['alerting/rules.yml', 'alerting/contact-points.yml', 'datasources/prometheus.yml'];
    const texts = await Promise.all(files.map(readProvisioned));
    assert.deepEqual(
      [...new Set(texts.flatMap((text) => text.match(/\$\{?\w+\}?/g) ?? []))],
      ['${RUNBOOKS_URL}', '$ALERT_WEBHOOK_URL', '$PROMETHEUS_URL'],
    );
  });
});

function readProvisioned(path: string): Promise<string> {
  return readFile(new URL(`../../deploy/grafana/provisioning/${path}`, import.meta.url), 'utf8');
}
