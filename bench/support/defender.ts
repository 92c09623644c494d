import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keySpace } from '@diq/contracts/operations.ts';
import type { startSimulator } from '@diq/testing/service-process.ts';
import {
  createSimulatorControl,
  type SimulatorControl,
} from '../../test/end-to-end/support/simulator-control.ts';

/** A simulated Defender, and the settings with which a worker calls it. */
export interface BenchDefender {
  readonly control: SimulatorControl;
  readonly keySpace: string;
  readonly workerEnv: Record<string, string>;
  /** Of its quota, for an intake as well. */
  readonly quotaEnv: Record<string, string>;
  close(): Promise<void>;
}

export async function openDefender(
  redisUrl: string,
  { limit, windowMs }: { limit: number; windowMs: number },
  start: typeof startSimulator,
): Promise<BenchDefender> {
  const folder = await mkdtemp(join(tmpdir(), 'diq-bench-'));
  const identity = { AZURE_TENANT_ID: randomUUID(), AZURE_CLIENT_ID: randomUUID() };
  const clientSecret = randomBytes(24).toString('base64url');
  const simulator = await start({
    SIMULATOR_TENANT_ID: identity.AZURE_TENANT_ID,
    SIMULATOR_CLIENT_ID: identity.AZURE_CLIENT_ID,
    SIMULATOR_CLIENT_SECRET: clientSecret,
    SIMULATOR_LIMIT: String(limit),
    SIMULATOR_WINDOW: `${windowMs}ms`,
    SIMULATOR_CA_FILE: join(folder, 'ca.pem'),
  });
  const { origin, caFile } = simulator.ready;
  const control = await createSimulatorControl(origin, caFile);
  const quotaEnv = {
    AZURE_TENANT_ID: identity.AZURE_TENANT_ID,
    DEFENDER_CALLS_PER_WINDOW: String(limit),
    DEFENDER_WINDOW: `${windowMs}ms`,
    REDIS_URL: redisUrl,
    LOG_LEVEL: 'warn',
  };
  return {
    control,
    keySpace: keySpace({ tenantId: identity.AZURE_TENANT_ID, operation: 'initiateInvestigation' }),
    quotaEnv,
    workerEnv: {
      ...quotaEnv,
      ...identity,
      WORKER_PORT: '0',
      AZURE_CLIENT_SECRET: clientSecret,
      AZURE_AUTHORITY_HOST: origin,
      DEFENDER_BASE_URL: origin,
      NODE_EXTRA_CA_CERTS: caFile,
    },
    async close() {
      await control.close();
      await simulator.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
