import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { generatedFiles } from '../../deploy/grafana/source/generated.ts';
import { readCompose } from '../deploy/support/compose.ts';
import { readRules } from './support/queries.ts';

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
