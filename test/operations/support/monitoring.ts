import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';
import { shortened } from './shortened-rules.ts';

const deploy = new URL('../../../deploy/', import.meta.url);

const scraping = z.looseObject({
  scrape_configs: z.array(z.looseObject({ job_name: z.string() })),
});
const alerting = z.looseObject({
  receivers: z.array(
    z.looseObject({ name: z.string(), webhook_configs: z.array(z.looseObject({ url_file: z.string() })) }),
  ),
});

export interface MonitoringOptions {
  /** Ports of the services on the loopback address, by the job that scrapes them. */
  ports: Readonly<Record<string, readonly number[]>>;
  /** Where Alertmanager sends its alerts. */
  receiverUrl: string;
}

export interface Monitoring {
  query(expr: string): Promise<QueryResult[]>;
  /** Jobs of the targets that are up. */
  jobsUp(): Promise<string[]>;
  stop(): Promise<void>;
}

const queryAnswer = z.object({
  data: z.object({
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        value: z.tuple([z.number(), z.string()]),
      }),
    ),
  }),
});

export type QueryResult = z.output<typeof queryAnswer>['data']['result'][number];

/**
 * A real Prometheus and a real Alertmanager on our own configuration and rules. Changed are only where things are,
 * and the times: the rules' by a sixtieth, scraping and evaluation to one second.
 */
export async function startMonitoring(options: MonitoringOptions): Promise<Monitoring> {
  const dir = await mkdtemp(join(tmpdir(), 'diq-monitoring-'));
  const servers: ServerProcess[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const alertmanager = await startAlertmanager(dir, options.receiverUrl);
    servers.push(alertmanager);
    const port = await findFreePort();
    await writePrometheusConfig(dir, options, new URL(alertmanager.url).host);
    const prometheus = await startServer(
      'prometheus',
      [
        `--config.file=${join(dir, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(dir, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { port, readyPath: '/-/ready' },
    );
    servers.push(prometheus);
    return { query: (expr) => query(prometheus.url, expr), jobsUp: () => jobsUp(prometheus.url), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A real Alertmanager on our own configuration, without its times, with its files in `dir`. */
export async function startAlertmanager(dir: string, receiverUrl: string): Promise<ServerProcess> {
  const port = await findFreePort();
  await writeAlertmanagerConfig(dir, receiverUrl);
  return startServer(
    'prometheus-alertmanager',
    [
      `--config.file=${join(dir, 'alertmanager.yml')}`,
      `--storage.path=${join(dir, 'alertmanager')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { port, readyPath: '/-/ready' },
  );
}

async function query(url: string, expr: string): Promise<QueryResult[]> {
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expr }).toString()}`);
  if (!response.ok) throw new Error(`${expr}: ${await response.text()}`);
  return queryAnswer.parse(await response.json()).data.result;
}

async function jobsUp(url: string): Promise<string[]> {
  return (await query(url, 'up == 1')).map(({ metric }) => metric['job'] ?? '');
}

async function writePrometheusConfig(
  dir: string,
  { ports }: MonitoringOptions,
  alertmanager: string,
): Promise<void> {
  const ours = scraping.parse(parse(await readFile(new URL('prometheus/prometheus.yml', deploy), 'utf8')));
  const targetsOf = (job: string) => (ports[job] ?? []).map((port) => `127.0.0.1:${port}`);
  for (const name of ['rules.yml', 'alerts.yml']) {
    const rules = await readFile(new URL(`prometheus/${name}`, deploy), 'utf8');
    await writeFile(join(dir, name), shortened(rules));
  }
  const config = {
    ...ours,
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [join(dir, 'rules.yml'), join(dir, 'alerts.yml')],
    alerting: {
      alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }],
    },
    scrape_configs: ours.scrape_configs
      .filter(({ job_name: job }) => job in ports)
      .map((job) => ({
        ...job,
        dns_sd_configs: [],
        static_configs: [{ targets: targetsOf(job.job_name) }],
      })),
  };
  await writeFile(join(dir, 'prometheus.yml'), stringify(config));
}

async function writeAlertmanagerConfig(dir: string, receiverUrl: string): Promise<void> {
  const ours = alerting.parse(
    parse(await readFile(new URL('alertmanager/alertmanager.yml', deploy), 'utf8')),
  );
  const config = {
    ...ours,
    route: { ...z.looseObject({}).parse(ours['route']), group_wait: '1s', group_interval: '1s' },
    // Named in place of a file: older versions know no files.
    receivers: ours.receivers.map(({ name, webhook_configs: webhooks }) => ({
      name,
      webhook_configs: webhooks.map(({ url_file: _file, ...rest }) => ({ ...rest, url: receiverUrl })),
    })),
  };
  await writeFile(join(dir, 'alertmanager.yml'), stringify(config));
}
