import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { startSimulator, type SimulatorProcess } from '@diq/testing/service-process.ts';
import { createMsalNetworkClient } from '../defender/auth/msal-network-client.ts';
import { createTokenProvider } from '../defender/auth/token-provider.ts';
import { testClientId, type TestWorkerOptions } from './test-worker-parts.ts';

const loggedCalls = z.object({ calls: z.array(z.object({ machineId: z.string() })) });
const allInvestigations = z.object({
  investigations: z.array(z.object({ id: z.string(), machineId: z.string() })),
});
const loggedReads = z.object({ reads: z.array(z.object({ read: z.string(), url: z.string() })) });

/** A simulator process of the suite's own: Entra ID and Defender in one. Readable from its `before` hooks on. */
export interface SimulatorSuite {
  readonly origin: string;
  /** PEM that its certificate is trusted by. */
  readonly ca: string;
  /** What a worker needs to call it. */
  readonly workerOptions: Pick<TestWorkerOptions, 'defenderUrl' | 'createTokens' | 'ca'>;
  /** @param authorityHost in place of the simulator */
  createTokens(
    onRequest: Parameters<TestWorkerOptions['createTokens']>[0],
    authorityHost?: string,
  ): ReturnType<TestWorkerOptions['createTokens']>;
  addFault(fault: object): Promise<void>;
  clearFaults(): Promise<void>;
  revokeTokens(): Promise<void>;
  /** An investigation that another application starts. */
  addInvestigation(order: object): Promise<{ id: string }>;
  /** A machine action that another application makes. */
  addMachineAction(order: object): Promise<{ id: string }>;
  /** A machine's record from now on; what is left out is as usual. */
  addMachine(record: object): Promise<void>;
  /** The one of this machine, whether readers can see it yet or not. */
  investigationOf(machineId: string): Promise<string | undefined>;
  /** Spends so many slots of Defender's quota as another application. */
  useQuota(calls: number): Promise<void>;
  /** Spends what is left of it as another application. */
  fillQuota(): Promise<void>;
  /** As after a window without calls. */
  resetQuota(): Promise<void>;
  /** Start calls for this machine that arrived. */
  callsFor(machineId: string): Promise<number>;
  /** Reads that arrived, by route and path. */
  reads(): Promise<{ read: string; url: string }[]>;
}

/** Call inside a `describe`. Faults end with their test. */
export function useSimulator(env: Record<string, string> = {}): SimulatorSuite {
  const tenantId = randomUUID();
  const clientSecret = randomUUID();
  let folder: string;
  let simulator: SimulatorProcess;
  let ca: string;
  let dispatcher: Agent;

  before('start the simulator', async () => {
    folder = await mkdtemp(join(tmpdir(), 'diq-worker-simulator-'));
    simulator = await startSimulator({
      SIMULATOR_TENANT_ID: tenantId,
      SIMULATOR_CLIENT_ID: testClientId,
      SIMULATOR_CLIENT_SECRET: clientSecret,
      SIMULATOR_LIMIT: '10000',
      SIMULATOR_CA_FILE: join(folder, 'ca.pem'),
      ...env,
    });
    ca = await readFile(simulator.ready.caFile, 'utf8');
    dispatcher = new Agent({ connect: { ca } });
  });
  afterEach('clear its faults', () => control('DELETE', '/faults'));
  after('stop the simulator', async () => {
    await simulator?.stop();
    await dispatcher?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function control(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    const response = await request(`${simulator.ready.origin}/control${path}`, {
      method,
      dispatcher,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    assert.ok(response.statusCode < 300, `${method} ${path}: ${response.statusCode} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  const createTokens: SimulatorSuite['createTokens'] = (
    onRequest,
    authorityHost = simulator.ready.origin,
  ) => {
    const networkClient = createMsalNetworkClient({ authorityHost, requestTimeoutMs: 2_000, ca });
    const tokens = createTokenProvider({
      tenantId,
      clientId: testClientId,
      credential: { kind: 'secret', secret: clientSecret },
      authorityHost,
      scope: 'https://api.securitycenter.microsoft.com/.default',
      networkClient,
      onRequest,
    });
    const close = async () => {
      await tokens.close();
      await networkClient.close();
    };
    return { ...tokens, close };
  };

  return {
    get origin() {
      return simulator.ready.origin;
    },
    get ca() {
      return ca;
    },
    get workerOptions() {
      return { defenderUrl: simulator.ready.origin, createTokens, ca };
    },
    createTokens,
    addFault: async (fault) => void (await control('POST', '/faults', fault)),
    clearFaults: async () => void (await control('DELETE', '/faults')),
    revokeTokens: async () => void (await control('POST', '/tokens/revoke')),
    addInvestigation: async (order) =>
      z.object({ id: z.string() }).parse(await control('POST', '/investigations', order)),
    addMachineAction: async (order) =>
      z.object({ id: z.string() }).parse(await control('POST', '/machine-actions', order)),
    addMachine: async (record) => void (await control('POST', '/machines', record)),
    async investigationOf(machineId) {
      const { investigations } = allInvestigations.parse(await control('GET', '/investigations'));
      return investigations.find((one) => one.machineId === machineId)?.id;
    },
    useQuota: async (calls) => void (await control('POST', '/quota/use', { calls })),
    async fillQuota() {
      const { limit, used } = z
        .object({ limit: z.number(), used: z.number() })
        .parse(await control('GET', '/quota'));
      if (used < limit) await control('POST', '/quota/use', { calls: limit - used });
    },
    resetQuota: async () => void (await control('DELETE', '/quota')),
    async callsFor(machineId) {
      const { calls } = loggedCalls.parse(await control('GET', '/calls'));
      return calls.filter((call) => call.machineId === machineId).length;
    },
    reads: async () => loggedReads.parse(await control('GET', '/reads')).reads,
  };
}
