import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { readCompose } from './support/compose.ts';
import { readYaml, root } from './support/read-deploy.ts';

const ports: Record<string, number> = { intake: 8080, worker: 9091, alertmanager: 9093, localhost: 9090 };

const targets = z.array(z.object({ targets: z.array(z.string()) }));
const config = z.looseObject({
  rule_files: z.array(z.string()),
  alerting: z.object({ alertmanagers: z.array(z.object({ static_configs: targets })) }),
  scrape_configs: z.array(
    z.looseObject({
      job_name: z.string(),
      static_configs: targets.default([]),
      dns_sd_configs: z
        .array(z.looseObject({ names: z.array(z.string()), type: z.literal('A'), port: z.number() }))
        .default([]),
    }),
  ),
});

describe('deploy/prometheus/prometheus.yml', () => {
  const {
    rule_files: rules,
    alerting,
    scrape_configs: jobs,
  } = config.parse(readYaml('deploy/prometheus/prometheus.yml'));
  const addresses = jobs.flatMap((job) => [
    ...job.static_configs.flatMap((it) => it.targets),
    ...job.dns_sd_configs.flatMap((it) => it.names.map((name) => `${name}:${it.port}`)),
  ]);

  it('scrapes every replica of intake and worker, and the monitoring itself, on the ports that they have', () => {
    assert.deepEqual(jobs.map((job) => job.job_name).toSorted(), [
      'alertmanager',
      'intake',
      'prometheus',
      'worker',
    ]);
    for (const address of addresses) {
      const [host = '', port] = address.split(':');
      assert.equal(Number(port), ports[host], address);
    }
  });

  it('names only services that it shares a network with', () => {
    const { services } = readCompose();
    const alertmanagers = alerting.alertmanagers.flatMap((it) =>
      it.static_configs.flatMap((one) => one.targets),
    );
    for (const address of [...addresses, ...alertmanagers]) {
      const [host = ''] = address.split(':');
      if (host !== 'localhost') assert.ok(services[host]?.networks.includes('monitoring'), address);
    }
  });

  it('loads rule files that are there', () => {
    for (const file of rules) assert.ok(existsSync(new URL(`deploy/prometheus/${file}`, root)), file);
  });
});
