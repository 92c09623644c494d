import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  makeSecrets,
  openProcesses,
  simulatorEnv,
  type DemoStack,
  type DemoStackOptions,
} from './demo-stack.ts';
import type { Simulator } from './simulator-control.ts';

/** A tenant of the demo: its Defender, and how many investigations that starts in a window. */
export interface DemoTenant {
  readonly name: string;
  readonly limit: number;
}

export interface TenantsStack extends DemoStack {
  /** In the order of the tenants. */
  readonly simulators: readonly Simulator[];
}

/**
 * One intake and one worker for several tenants, each with a Defender and an Entra ID of its own.
 *
 * @throws DemoFailure when a service does not start
 */
export async function startTenantsStack(
  options: Omit<DemoStackOptions, 'limit'>,
  tenants: readonly DemoTenant[],
): Promise<TenantsStack> {
  const { windowMs, isKept } = options;
  const { folder, open } = openProcesses(options);
  const opened = await Promise.all([
    open('embedded-redis', { LOG_LEVEL: 'warn' }),
    ...tenants.map(async ({ name, limit }) => {
      const secrets = makeSecrets();
      const caFile = join(folder, `${name}-ca.pem`);
      const { ready } = await open('defender-simulator', simulatorEnv({ limit, windowMs }, secrets, caFile));
      await writeFile(join(folder, `${name}-secret`), secrets.clientSecret, { mode: 0o600 });
      return { name, limit, secrets, caFile, simulatorUrl: String(ready['origin']) };
    }),
  ]);
  const [redis, ...defenders] = opened as [Awaited<ReturnType<typeof open>>, ...Defender[]];

  const tenantsFile = join(folder, 'tenants.json');
  await writeFile(
    tenantsFile,
    JSON.stringify({ tenants: defenders.map((one) => entryOf(one, folder, windowMs)) }),
  );
  // One file for both: Node takes one.
  const caFile = join(folder, 'all-ca.pem');
  const certificates = await Promise.all(defenders.map((one) => readFile(one.caFile, 'utf8')));
  await writeFile(caFile, certificates.join('\n'));

  const { apiKey } = makeSecrets();
  const shared = { REDIS_URL: `redis://127.0.0.1:${redis.ready.port}`, TENANTS_FILE: tenantsFile };
  const hash = createHash('sha256').update(apiKey).digest('hex');
  const scopes = isKept ? 'submit+respond+read+admin' : 'submit+respond+read';
  const loopback = { WORKER_PORT: '0', WORKER_HOST: '127.0.0.1', INTAKE_PORT: '0', INTAKE_HOST: '127.0.0.1' };
  const [worker, intake] = await Promise.all([
    open('worker', { ...shared, ...loopback, NODE_EXTRA_CA_CERTS: caFile }),
    open('intake-api', { ...shared, ...loopback, INTAKE_API_KEYS: `demo:${scopes}:${hash}:*` }),
  ]);
  const [first] = defenders;
  return {
    intakeUrl: `http://127.0.0.1:${intake.ready.port}`,
    apiKey,
    tenant: first?.name,
    workerUrl: `http://127.0.0.1:${worker.ready.port}`,
    redisUrl: shared.REDIS_URL,
    simulatorUrl: first?.simulatorUrl ?? '',
    caFile,
    controlKey: first?.secrets.controlKey ?? '',
    simulators: defenders.map(({ simulatorUrl, caFile: own, secrets: { controlKey } }) => ({
      simulatorUrl,
      caFile: own,
      controlKey,
    })),
  };
}

interface Defender extends DemoTenant {
  readonly secrets: ReturnType<typeof makeSecrets>;
  readonly caFile: string;
  readonly simulatorUrl: string;
}

function entryOf({ name, limit, secrets, simulatorUrl }: Defender, folder: string, windowMs: number): object {
  return {
    name,
    tenantId: secrets.tenantId,
    clientId: secrets.clientId,
    clientSecretFile: join(folder, `${name}-secret`),
    authorityHost: simulatorUrl,
    defenderBaseUrl: simulatorUrl,
    operations: {
      initiateInvestigation: { limits: [{ calls: limit, window: windowMs }] },
      runAntiVirusScan: {},
    },
  };
}
