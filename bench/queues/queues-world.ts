import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keySpace, type OperationName } from '@diq/contracts/operations.ts';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { startWorker } from '@diq/testing/service-process.ts';
import { residentMegabytes } from '../support/resident-memory.ts';
import { startIntake } from '../support/world.ts';
import type { RedisUnderBench } from './bench-redis.ts';
import { newTenant, startManyDefenders, type BenchTenant, type ManyDefenders } from './many-defenders.ts';

/** Of each tenant. A scan needs a parameter and has a limit per hour beside the short one. */
export const operations = ['initiateInvestigation', 'runAntiVirusScan'] as const satisfies OperationName[];

/** One tenant's one operation. */
export interface BenchQueue {
  tenant: BenchTenant;
  operation: OperationName;
  keySpace: string;
}

/** What a POST names beside machine and comment. */
export function namedIn({ operation }: BenchQueue): object {
  return operation === 'runAntiVirusScan' ? { operation, parameters: { scanType: 'Quick' } } : { operation };
}

/** Tenants with two operations each, out of a file, and one with a single operation, out of the environment. */
export interface QueuesWorld {
  readonly redis: RedisUnderBench;
  readonly defenders: ManyDefenders;
  readonly many: readonly BenchQueue[];
  readonly one: readonly BenchQueue[];
  startServices(queues: readonly BenchQueue[]): Promise<Services>;
  startIntakeOf(queues: readonly BenchQueue[]): Promise<ServiceProcess>;
  close(): Promise<void>;
}

/** An intake and two workers. */
export interface Services {
  readonly intake: ServiceProcess;
  readonly workers: readonly ServiceProcess[];
  /** The most that was resident since the start, in megabytes: of the intake, and of the worker that had more. */
  peaks(): { intake: number; worker: number };
  stop(): Promise<void>;
}

const sampleEveryMs = 500;

export async function openQueuesWorld(
  startRedis: () => Promise<RedisUnderBench>,
  { tenants: count, limit, windowMs }: { tenants: number; limit: number; windowMs: number },
): Promise<QueuesWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'diq-bench-'));
  const single = newTenant('default', 1_000, windowMs);
  const tenants = Array.from({ length: count }, (_, i) => newTenant(`tenant-${i}`, limit, windowMs));
  const defenders = await startManyDefenders(folder, [single, ...tenants]);
  const redis = await startRedis();
  const queueOf = (tenant: BenchTenant, operation: OperationName): BenchQueue => ({
    tenant,
    operation,
    keySpace: keySpace({ tenantId: tenant.tenantId, operation }),
  });
  const one = [queueOf(single, operations[0])];
  const many = tenants.flatMap((tenant) => operations.map((operation) => queueOf(tenant, operation)));
  const env = async (queues: readonly BenchQueue[]) => {
    const shared = { ...redis.env, LOG_LEVEL: 'warn' };
    if (queues === one) return { ...shared, ...settingsOf(single, defenders) };
    const file = join(folder, 'tenants.json');
    await writeFile(file, tenantsFile(queues, defenders));
    return { ...shared, TENANTS_FILE: file, AZURE_TENANT_ID: '' };
  };
  const startIntakeOf = async (queues: readonly BenchQueue[]) => startIntake('', [], await env(queues));
  return {
    redis,
    defenders,
    one,
    many,
    startIntakeOf,
    async startServices(queues) {
      const workerEnv = { ...(await env(queues)), NODE_EXTRA_CA_CERTS: defenders.caFile };
      const intake = await startIntakeOf(queues);
      return watched(intake, await Promise.all([1, 2].map(() => startWorker(workerEnv))));
    },
    async close() {
      await redis.stop();
      await defenders.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function watched(intake: ServiceProcess, workers: readonly ServiceProcess[]): Services {
  const peaks = { intake: 0, worker: 0 };
  const sample = async () => {
    const resident = await Promise.all([intake, ...workers].map(({ child }) => residentMegabytes(child.pid)));
    const [ofIntake = 0, ...ofWorkers] = resident;
    peaks.intake = Math.max(peaks.intake, ofIntake);
    peaks.worker = Math.max(peaks.worker, ...ofWorkers);
  };
  const sampling = setInterval(() => void sample(), sampleEveryMs);
  return {
    intake,
    workers,
    peaks: () => ({ ...peaks }),
    async stop() {
      clearInterval(sampling);
      await Promise.all([intake, ...workers].map((service) => service.stop()));
    },
  };
}

function settingsOf(tenant: BenchTenant, defenders: ManyDefenders): Record<string, string> {
  return {
    AZURE_TENANT_ID: tenant.tenantId,
    AZURE_CLIENT_ID: tenant.clientId,
    AZURE_CLIENT_SECRET_FILE: defenders.secretFile,
    AZURE_AUTHORITY_HOST: defenders.originOf(tenant),
    DEFENDER_BASE_URL: defenders.originOf(tenant),
    DEFENDER_CALLS_PER_WINDOW: String(tenant.limit),
    DEFENDER_WINDOW: `${tenant.windowMs}ms`,
  };
}

function tenantsFile(queues: readonly BenchQueue[], defenders: ManyDefenders): string {
  const tenants = [...new Set(queues.map(({ tenant }) => tenant))];
  const operationsOf = (tenant: BenchTenant) => {
    const short = { calls: tenant.limit, window: `${tenant.windowMs}ms` };
    const own = queues.filter((queue) => queue.tenant === tenant).map(({ operation }) => operation);
    return Object.fromEntries(
      own.map((operation) => [
        operation,
        { limits: operation === 'runAntiVirusScan' ? [short, { calls: 1_500, window: '1h' }] : [short] },
      ]),
    );
  };
  return JSON.stringify({
    tenants: tenants.map((tenant) => ({
      name: tenant.name,
      tenantId: tenant.tenantId,
      clientId: tenant.clientId,
      clientSecretFile: defenders.secretFile,
      authorityHost: defenders.originOf(tenant),
      defenderBaseUrl: defenders.originOf(tenant),
      operations: operationsOf(tenant),
    })),
  });
}
