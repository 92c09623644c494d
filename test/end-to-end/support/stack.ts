import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { startIntake, startSimulator, startWorker, stopAll } from '@diq/testing/service-process.ts';
import { createApiClient } from './api-client.ts';
import { createSimulatorControl } from './simulator-control.ts';

export interface StackOptions {
  redisUrl: string;
  limit: number;
  windowMs: number;
  callTimeoutMs?: number;
  /** How long a lost answer is looked up; a second by default. */
  reconcileGraceMs?: number;
  workers: number;
  intakes?: number;
  simulatorEnv?: Record<string, string>;
  /** For intake and workers. */
  env?: Record<string, string>;
  workerEnv?: Record<string, string>;
  /** Of a Redis that speaks TLS, PEM. */
  redisCa?: string;
}

export type Stack = Awaited<ReturnType<typeof startStack>>;

/** The whole system as separate processes, in front of the simulator, with credentials made for this run. */
export async function startStack(options: StackOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'diq-stack-'));
  const secrets = {
    apiKey: randomBytes(24).toString('base64url'),
    clientSecret: randomBytes(24).toString('base64url'),
  };
  const identity = { AZURE_TENANT_ID: randomUUID(), AZURE_CLIENT_ID: randomUUID() };
  const window = `${options.windowMs}ms`;

  const simulator = await startSimulator({
    SIMULATOR_TENANT_ID: identity.AZURE_TENANT_ID,
    SIMULATOR_CLIENT_ID: identity.AZURE_CLIENT_ID,
    SIMULATOR_CLIENT_SECRET: secrets.clientSecret,
    SIMULATOR_LIMIT: String(options.limit),
    SIMULATOR_WINDOW: window,
    SIMULATOR_CA_FILE: join(folder, 'ca.pem'),
    ...options.simulatorEnv,
  });
  const cas = join(folder, 'cas.pem');
  await writeFile(cas, `${await readFile(simulator.ready.caFile, 'utf8')}\n${options.redisCa ?? ''}`);
  const quota = {
    AZURE_TENANT_ID: identity.AZURE_TENANT_ID,
    DEFENDER_CALLS_PER_WINDOW: String(options.limit),
    DEFENDER_WINDOW: window,
    REDIS_URL: options.redisUrl,
    LOG_LEVEL: 'debug',
    ...(options.redisCa === undefined ? {} : { NODE_EXTRA_CA_CERTS: cas }),
    ...options.env,
  };
  const intakeEnv = {
    ...quota,
    // Tests look far more often than callers may.
    INTAKE_MAX_REQUESTS_PER_MINUTE: '0',
    INTAKE_API_KEYS: `test:submit+respond+irreversible+read+admin:${createHash('sha256').update(secrets.apiKey).digest('hex')}`,
  };
  const workerEnv = {
    ...quota,
    ...identity,
    AZURE_CLIENT_SECRET: secrets.clientSecret,
    AZURE_AUTHORITY_HOST: simulator.ready.origin,
    DEFENDER_BASE_URL: simulator.ready.origin,
    DEFENDER_CALL_TIMEOUT: `${options.callTimeoutMs ?? 2_000}ms`,
    DEFENDER_RECONCILE_GRACE: `${options.reconcileGraceMs ?? 1_000}ms`,
    NODE_EXTRA_CA_CERTS: cas,
    ...options.workerEnv,
  };
  const control = await createSimulatorControl(simulator.ready.origin, simulator.ready.caFile);
  const workers: ServiceProcess[] = [];
  const intakes: ServiceProcess[] = [];
  const addWorker = async (env: Record<string, string> = {}) => {
    const worker = await startWorker({ ...workerEnv, ...env });
    workers.push(worker);
    return worker;
  };
  const addIntake = async (env: Record<string, string> = {}) => {
    const intake = await startIntake({ ...intakeEnv, ...env });
    intakes.push(intake);
    return createApiClient(`http://127.0.0.1:${intake.ready.port}`, secrets.apiKey);
  };

  const starting = Array.from({ length: options.workers }, () => addWorker());
  const api = await addIntake();
  await Promise.all(starting);

  return {
    api,
    control,
    workers,
    intakes,
    addWorker,
    addIntake,
    secrets,
    tenantId: identity.AZURE_TENANT_ID,
    async stop() {
      await stopAll();
      await control.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Distinct machine ids that the simulator knows. */
export function machineIds(count: number): string[] {
  return Array.from({ length: count }, () => `a${randomBytes(20).toString('hex').slice(1)}`);
}
