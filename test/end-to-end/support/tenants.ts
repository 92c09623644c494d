import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keySpace, type OperationName } from '@diq/contracts/operations.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import { createRequestIntake } from '@diq/queue/admission/accept-requests.ts';
import { createRequestReader } from '@diq/queue/requests/request-reader.ts';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { makeCertificate } from '@diq/worker/defender/test-support/certificate.ts';
import { startIntake, startSimulator, startWorker, stopAll } from '@diq/testing/service-process.ts';
import { createSimulatorControl, type SimulatorControl } from './simulator-control.ts';
import { machineIds } from './stack.ts';

/** A tenant as it stands in the file. */
export interface TenantEntry {
  name: string;
  tenantId: string;
  /** Its Defender and Entra ID. */
  origin: string;
  clientId: string;
  secretFile: string;
  /** In place of the secret: PEM of a certificate and its key. */
  certificateFile?: string;
  calls: number;
  window: string;
  /** initiateInvestigation alone by default. */
  operations?: readonly OperationName[];
}

/** A Defender and Entra ID of one tenant, and what arrives there. */
export interface TenantSite {
  entry: TenantEntry;
  control: SimulatorControl;
  /** Of the authority of its certificate. */
  caFile: string;
}

export type TenantsWorld = Awaited<ReturnType<typeof openTenantsWorld>>;

/** Workers in front of several tenants, and the requests that are recorded for them. */
export async function openTenantsWorld(redisUrl: string) {
  const folder = await mkdtemp(join(tmpdir(), 'diq-tenants-'));
  const path = join(folder, 'tenants.json');
  const caFile = join(folder, 'cas.pem');
  const sites: TenantSite[] = [];
  const logger = { info() {}, warn() {} };
  const redis = openFailFastConnection({ address: parseRedisUrl(redisUrl), name: 'test', logger });
  await waitUntilReady(redis, 5_000);
  const closers: (() => Promise<unknown>)[] = [];

  async function secretFile(secret: string): Promise<string> {
    const file = join(folder, randomUUID());
    await writeFile(file, secret);
    return file;
  }

  function queueOf(
    { tenantId }: Pick<TenantEntry, 'tenantId'>,
    {
      isSilent = false,
      operation = 'initiateInvestigation',
    }: { isSilent?: boolean; operation?: OperationName } = {},
  ) {
    const space = keySpace({ tenantId, operation });
    // As where every message is lost.
    const silent = isSilent ? Object.assign(Object.create(redis), { publish: async () => 0 }) : redis;
    const jobs = createJobQueue(silent, space, () => undefined);
    closers.push(() => jobs.close());
    const intake = createRequestIntake({ redis: silent, keySpace: space, jobs, retentionMs: 3_600_000 });
    const reader = createRequestReader(redis, space);
    return {
      keySpace: space,
      async accept(count: number, more: { notAfter?: string } = {}): Promise<string[]> {
        const entries = machineIds(count).map((machineId) => {
          return { machineId, comment: 'why', priority: 'medium' as const, ...more };
        });
        const { accepted } = await intake.acceptBatch(entries, { nowMs: Date.now() });
        return accepted.flatMap((one) => one?.id ?? []);
      },
      documentOf: async (id: string): Promise<RequestDocument | undefined> =>
        (await reader.findRequest(id))?.document,
      statusOf: async (id: string): Promise<RequestStatus | undefined> =>
        (await reader.findRequest(id))?.document.status,
    };
  }

  return {
    redis,
    /** A tenant with a simulator of its own. */
    async addSite(
      name: string,
      calls: number,
      windowMs: number,
      simulatorEnv: Readonly<Record<string, string>> = {},
    ): Promise<TenantSite> {
      const [tenantId, clientId, secret] = [randomUUID(), randomUUID(), randomUUID()];
      // Of two authorities of the same name one would be taken for the other.
      const { key, cert } = await makeCertificate(name);
      const [keyFile, certFile] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
      await Promise.all([writeFile(keyFile, key), writeFile(certFile, cert)]);
      const simulator = await startSimulator({
        SIMULATOR_KEY_FILE: keyFile,
        SIMULATOR_CERT_FILE: certFile,
        SIMULATOR_TENANT_ID: tenantId,
        SIMULATOR_CLIENT_ID: clientId,
        SIMULATOR_CLIENT_SECRET: secret,
        SIMULATOR_LIMIT: String(calls),
        SIMULATOR_WINDOW: `${windowMs}ms`,
        SIMULATOR_CA_FILE: join(folder, `${name}.pem`),
        ...simulatorEnv,
      });
      const { origin, caFile: ownCa } = simulator.ready;
      const file = await secretFile(`${secret}\n`);
      const entry = { name, tenantId, origin, clientId, secretFile: file, calls, window: `${windowMs}ms` };
      const site = { entry, control: await createSimulatorControl(origin, ownCa), caFile: ownCa };
      sites.push(site);
      const cas = await Promise.all(
        sites.map((one) => readFile(join(folder, `${one.entry.name}.pem`), 'utf8')),
      );
      await writeFile(caFile, cas.join('\n'));
      return site;
    },
    /** Tenants for which there is nothing to do. */
    async idleTenants(count: number): Promise<TenantEntry[]> {
      const file = await secretFile('secret');
      return Array.from({ length: count }, (_, i) => ({
        name: `idle-${i}`,
        tenantId: randomUUID(),
        clientId: randomUUID(),
        origin: 'https://127.0.0.1:9',
        secretFile: file,
        calls: 5,
        window: '1h',
      }));
    },
    secretFile,
    writeTenants: (tenants: readonly TenantEntry[]) =>
      writeFile(
        path,
        JSON.stringify({
          tenants: tenants.map(
            ({ name, tenantId, clientId, origin, calls, window, operations, ...credential }) => ({
              name,
              tenantId,
              clientId,
              ...(credential.certificateFile
                ? { clientCertificatePath: credential.certificateFile }
                : { clientSecretFile: credential.secretFile }),
              authorityHost: origin,
              defenderBaseUrl: origin,
              operations: Object.fromEntries(
                (operations ?? ['initiateInvestigation']).map((operation) => [
                  operation,
                  { limits: [{ calls, window }] },
                ]),
              ),
            }),
          ),
        }),
      ),
    startIntake: (env: Readonly<Record<string, string>>) =>
      startIntake({ REDIS_URL: redisUrl, TENANTS_FILE: path, ...env }),
    startWorker: (env: Readonly<Record<string, string>> = {}) =>
      startWorker({
        REDIS_URL: redisUrl,
        TENANTS_FILE: path,
        QUOTA_COLD_START: 'open',
        DEFENDER_CALL_TIMEOUT: '5s',
        DEFENDER_RECONCILE_GRACE: '1s',
        ...(sites.length > 0 && { NODE_EXTRA_CA_CERTS: caFile }),
        ...env,
      }),
    queueOf,
    async close() {
      await stopAll();
      await Promise.all(sites.map(({ control }) => control.close()));
      await Promise.all(closers.map((close) => close()));
      await closeRedis(redis);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
