import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultHeadStartMs } from '@diq/queue/scheduling/order.ts';
import { spawnService, type ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import type { Baseline } from '../baselines/replay-baselines.ts';
import { startReplayBaselines } from '../baselines/start-baselines.ts';
import { startOneRedis } from '../queues/bench-redis.ts';
import {
  newTenant,
  startManyDefenders,
  type BenchTenant,
  type ManyDefenders,
} from '../queues/many-defenders.ts';
import { startIntake, targetOf } from '../support/world.ts';
import { scaledBy, scaledConstants } from './scaled-time.ts';

/** What is compared, each in front of a Defender of its own. */
export const systems = ['queue', 'fifo', 'fixed', 'soar'] as const;
export type System = (typeof systems)[number];

export interface ReplayWorldOptions {
  /** One for each trace. */
  names: readonly string[];
  slotsPerHour: number;
  hourMs: number;
  /** Further settings of the intake and the worker. */
  settings?: Readonly<Record<string, string>>;
}

/** How long an investigation runs, in hours of the trace: machines need no other one meanwhile. */
export const investigationHours = 2;
/** XSOAR's second and last try. */
const soarRetrySeconds = 60;

export type ReplayWorld = Awaited<ReturnType<typeof openReplayWorld>>;

/** One Redis, one intake and one worker for all traces, each with a tenant; the baselines beside them; a Defender for each. */
export async function openReplayWorld({ names, slotsPerHour, hourMs, settings = {} }: ReplayWorldOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'diq-replay-'));
  const scaled = scaledBy(hourMs);
  const tenants = new Map(
    names.flatMap((_, i) =>
      systems.map((system) => [`${system}-${i}`, newTenant(`${system}-${i}`, slotsPerHour, hourMs)] as const),
    ),
  );
  const tenantOf = (system: System, i: number) => tenants.get(`${system}-${i}`) as BenchTenant;
  const reads = Math.ceil(3_600_000 / hourMs);
  const defenders = await startManyDefenders(folder, [...tenants.values()], {
    investigationMs: investigationHours * hourMs,
    readsPerMinute: 100 * reads,
    readsPerHour: 1_500 * reads,
  });
  const redis = await startOneRedis();
  const file = join(folder, 'tenants.json');
  const ours = names.map((_, i) => tenantOf('queue', i));
  await writeFile(file, tenantsFile(ours, defenders));
  const url = redis.env['REDIS_URL'] ?? '';
  const env = {
    ...redis.env,
    ...scaledSettings(scaled),
    TENANTS_FILE: file,
    AZURE_TENANT_ID: '',
    LOG_LEVEL: 'warn',
    ...settings,
  };
  const nodeArgs = ['--import', scaleTime(hourMs)];
  const intake = await startIntake(url, nodeArgs, env);
  const worker = await startWorkerWith(nodeArgs, { ...env, NODE_EXTRA_CA_CERTS: defenders.caFile });
  const baselines = await startReplayBaselines({
    baselines: names.flatMap((_, i) =>
      (['fifo', 'fixed', 'soar'] as const).map((kind): Baseline => {
        const tenant = tenantOf(kind, i);
        const { tenantId, clientId } = tenant;
        return { key: `${kind}-${i}`, kind, tenantId, clientId, origin: defenders.originOf(tenant) };
      }),
    ),
    clientSecret: await readFile(defenders.secretFile, 'utf8'),
    ca: await readFile(defenders.caFile, 'utf8'),
    redis: { host: new URL(url).hostname, port: Number(new URL(url).port) },
    limit: slotsPerHour,
    windowMs: hourMs,
    retryAfterMs: scaled(soarRetrySeconds),
  });
  return {
    defenders,
    tenantOf,
    target: targetOf(intake),
    baselines,
    /** Of the services under test and of what they are compared with. */
    pids: { intake: intake.child.pid, worker: worker.child.pid, baselines: baselines.pid },
    async close() {
      await Promise.all([baselines.stop(), intake.stop(), worker.stop()]);
      await redis.stop();
      await defenders.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function startWorkerWith(nodeArgs: readonly string[], env: Record<string, string>): Promise<ServiceProcess> {
  return spawnService({
    entry: new URL('../../services/worker/src/main.ts', import.meta.url),
    name: 'worker',
    nodeArgs,
    env: { WORKER_PORT: '0', ...env },
  });
}

function scaleTime(hourMs: number): string {
  const url = new URL('./scale-time.mjs', import.meta.url);
  url.searchParams.set('constants', JSON.stringify(scaledConstants(hourMs)));
  return url.href;
}

/** Settings that are times of the outside world. Results are not followed: nothing that is measured here comes of that. */
function scaledSettings(scaled: (traceSeconds: number) => number): Record<string, string> {
  return {
    ...Object.fromEntries(
      (['critical', 'high', 'medium'] as const).map((priority) => [
        `PRIORITY_HEAD_START_${priority.toUpperCase()}`,
        `${Math.round(scaled(defaultHeadStartMs[priority] / 1_000))}ms`,
      ]),
    ),
    REUSE_WINDOW: `${Math.round(scaled(3_600))}ms`,
    DEFENDER_CALL_TIMEOUT: '5s',
    FOLLOW_UP: 'off',
    QUOTA_COLD_START: 'open',
  };
}

function tenantsFile(tenants: readonly BenchTenant[], defenders: ManyDefenders): string {
  return JSON.stringify({
    tenants: tenants.map((tenant) => ({
      name: tenant.name,
      tenantId: tenant.tenantId,
      clientId: tenant.clientId,
      clientSecretFile: defenders.secretFile,
      authorityHost: defenders.originOf(tenant),
      defenderBaseUrl: defenders.originOf(tenant),
      operations: {
        initiateInvestigation: { limits: [{ calls: tenant.limit, window: `${tenant.windowMs}ms` }] },
      },
    })),
  });
}
