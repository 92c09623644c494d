import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Env } from '@diq/runtime/settings/read-settings.ts';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { openService } from '../open-service.ts';
import type { ServiceName } from '../start-service.ts';
import { DemoFailure } from './demo-failure.ts';
import { demoPerson, registerPerson, signInEnv, type PageApplication } from './demo-people.ts';

/** The services of the demo, each in a process of its own, on free ports of this machine. */
export interface DemoStack {
  readonly intakeUrl: string;
  readonly apiKey: string;
  /** One of several that the key reaches: a path has to name it. */
  readonly tenant?: string | undefined;
  /** Who can sign in to the page with the simulated Entra ID, where one can. */
  readonly person?: string;
  readonly workerUrl: string;
  readonly redisUrl: string;
  readonly simulatorUrl: string;
  /** What makes the simulator's certificate trusted. */
  readonly caFile: string;
  readonly controlKey: string;
}

export interface DemoStackOptions {
  readonly lifecycle: Lifecycle;
  readonly limit: number;
  readonly windowMs: number;
  /** Whether Defender is asked before its calls; by default it is. */
  readonly looksAhead?: boolean;
  /** It stays up for a person, whose key may then pause and resume the queue too. */
  readonly isKept: boolean;
  readonly onLine: (service: ServiceName, line: string) => void;
  /** Called when a service ends by itself. */
  readonly onLost: (failure: DemoFailure) => void;
}

/** Longer than a service's own limit of 10 s. */
const stopTimeoutMs = 11_000;

/**
 * Starts everything, with secrets made up for this run; only the API key of one that stays up is shown. The lifecycle ends the services in the order
 * intake, worker, simulator, Valkey and removes the temporary folder.
 *
 * @throws DemoFailure when a service does not start
 */
export async function startDemoStack(options: DemoStackOptions): Promise<DemoStack> {
  const { folder, open } = openProcesses(options);
  const secrets = makeSecrets();
  const caFile = join(folder, 'simulator-ca.pem');
  const [redis, simulator] = await Promise.all([
    open('embedded-redis', { LOG_LEVEL: 'warn' }),
    open('defender-simulator', simulatorEnv(options, secrets, caFile)),
  ]);
  const redisUrl = `redis://127.0.0.1:${redis.ready.port}`;
  const simulatorUrl = String(simulator.ready['origin']);
  const control = { simulatorUrl, caFile, controlKey: secrets.controlKey };
  const page = options.isKept ? await pageApplication(secrets) : undefined;
  if (page) await registerPerson(page, control);
  const queueEnv = { ...sharedEnv(options, secrets), REDIS_URL: redisUrl };
  const [worker, intake] = await Promise.all([
    open('worker', {
      ...queueEnv,
      ...workerEnv(secrets, simulatorUrl, caFile),
      ...(options.looksAhead === false && { LOOK_BEFORE_CALL: 'off' }),
    }),
    open('intake-api', {
      ...queueEnv,
      ...intakeEnv(options, secrets),
      ...(page && { ...signInEnv(page, control), INTAKE_PORT: new URL(page.publicUrl).port }),
    }),
  ]);
  return {
    intakeUrl: `http://127.0.0.1:${intake.ready.port}`,
    apiKey: secrets.apiKey,
    workerUrl: `http://127.0.0.1:${worker.ready.port}`,
    redisUrl,
    ...control,
    ...(page && { person: demoPerson.username }),
  };
}

/** How the services of a demo are started, and a folder for what they share. The lifecycle ends the ones and removes the other. */
export function openProcesses({
  lifecycle,
  onLine,
  onLost,
}: Pick<DemoStackOptions, 'lifecycle' | 'onLine' | 'onLost'>) {
  lifecycle.closing.throwIfAborted();
  // At once: a signal that came in between would end the process before its handler is there.
  const folder = mkdtempSync(join(tmpdir(), 'defender-demo-'));
  lifecycle.onClose('temporary folder', () => rm(folder, { recursive: true, force: true }));
  const open = async (name: ServiceName, env: Env) => {
    try {
      return await openService(name, {
        env,
        lifecycle,
        stopTimeoutMs,
        onLine: (line) => onLine(name, line),
        onLost: (reason) => onLost(new DemoFailure(reason, name)),
      });
    } catch (error) {
      throw new DemoFailure(error instanceof Error ? error.message : String(error), name);
    }
  };
  return { folder, open };
}

/** Of a page whose address is known before the intake starts, since Entra ID leads back there. */
async function pageApplication({ tenantId }: Secrets): Promise<PageApplication> {
  const publicUrl = `http://127.0.0.1:${await findFreePort()}`;
  return { tenantId, clientId: randomUUID(), clientSecret: secret(), publicUrl };
}

type Secrets = ReturnType<typeof makeSecrets>;

export function makeSecrets() {
  return {
    tenantId: randomUUID(),
    clientId: randomUUID(),
    clientSecret: secret(),
    apiKey: secret(),
    controlKey: secret(),
  };
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

export function simulatorEnv(
  { limit, windowMs }: Pick<DemoStackOptions, 'limit' | 'windowMs'>,
  secrets: Secrets,
  caFile: string,
): Env {
  return {
    SIMULATOR_PORT: '0',
    SIMULATOR_TENANT_ID: secrets.tenantId,
    SIMULATOR_CLIENT_ID: secrets.clientId,
    SIMULATOR_CLIENT_SECRET: secrets.clientSecret,
    SIMULATOR_CONTROL_KEY: secrets.controlKey,
    SIMULATOR_CA_FILE: caFile,
    SIMULATOR_LIMIT: String(limit),
    SIMULATOR_WINDOW: String(windowMs),
    // Minutes in fact; here results are to be seen ending.
    SIMULATOR_INVESTIGATION_TIME: '6s',
  };
}

function sharedEnv({ limit, windowMs }: DemoStackOptions, { tenantId }: Secrets): Env {
  return {
    AZURE_TENANT_ID: tenantId,
    DEFENDER_CALLS_PER_WINDOW: String(limit),
    DEFENDER_WINDOW: String(windowMs),
  };
}

function workerEnv({ clientId, clientSecret }: Secrets, simulatorUrl: string, caFile: string): Env {
  return {
    WORKER_PORT: '0',
    WORKER_HOST: '127.0.0.1',
    FOLLOW_UP_EVERY: '5s',
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: clientSecret,
    AZURE_AUTHORITY_HOST: simulatorUrl,
    DEFENDER_BASE_URL: simulatorUrl,
    NODE_EXTRA_CA_CERTS: caFile,
  };
}

function intakeEnv({ isKept }: DemoStackOptions, { apiKey }: Secrets): Env {
  const hash = createHash('sha256').update(apiKey).digest('hex');
  const scopes = isKept ? 'submit+read+admin' : 'submit+read';
  return { INTAKE_PORT: '0', INTAKE_HOST: '127.0.0.1', INTAKE_API_KEYS: `demo:${scopes}:${hash}` };
}
