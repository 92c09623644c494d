import { fork } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { z } from 'zod';
import type { OperationName } from '@diq/contracts/operations.ts';
import type { SimulatorSettings } from '../../services/defender-simulator/src/config.ts';
import { makeCertificate } from '../../services/worker/src/defender/test-support/certificate.ts';

/** A tenant, and how many calls of each of its operations may start in any window. */
export interface BenchTenant {
  name: string;
  tenantId: string;
  clientId: string;
  limit: number;
  windowMs: number;
}

/** What the process of the simulators is asked for. */
export interface DefendersPlan {
  tenants: readonly BenchTenant[];
  clientSecret: string;
  certFile: string;
  keyFile: string;
  /** Over what `many-defenders-main.ts` sets. */
  further: Partial<SimulatorSettings>;
}

const callLog = z.object({
  calls: z.array(
    z.object({
      operation: z.string(),
      machineId: z.string(),
      atMs: z.number(),
      at: z.iso.datetime(),
      status: z.union([z.number(), z.string()]),
    }),
  ),
});

/** A call as it arrived: `atMs` by a clock that only runs forward, `wallMs` by the one of the machine. */
export interface ArrivedCall {
  atMs: number;
  wallMs: number;
  machineId: string;
  status: number | string;
}

/** The Defenders of many tenants, and where they are. */
export interface ManyDefenders {
  readonly caFile: string;
  readonly secretFile: string;
  /** Of the side entrance of one tenant's. @throws Error when it refuses */
  tell(tenant: BenchTenant, path: string, body: object): Promise<void>;
  originOf(tenant: BenchTenant): string;
  /** All calls of one tenant, by operation, in order of arrival. */
  callsOf(tenant: BenchTenant): Promise<Map<string, ArrivedCall[]>>;
  close(): Promise<void>;
}

export function newTenant(name: string, limit: number, windowMs: number): BenchTenant {
  return { name, tenantId: randomUUID(), clientId: randomUUID(), limit, windowMs };
}

/** As the simulator's log names it. */
export function loggedName(operation: OperationName): string {
  return operation.toLowerCase();
}

export async function startManyDefenders(
  folder: string,
  tenants: readonly BenchTenant[],
  further: Partial<SimulatorSettings> = {},
): Promise<ManyDefenders> {
  const [certFile, keyFile, secretFile] = ['defender.crt', 'defender.key', 'secret'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const { cert, key } = await makeCertificate('defenders');
  const clientSecret = randomBytes(24).toString('base64url');
  await Promise.all([
    writeFile(certFile, cert),
    writeFile(keyFile, key),
    writeFile(secretFile, clientSecret),
  ]);
  const child = fork(fileURLToPath(new URL('./many-defenders-main.ts', import.meta.url)));
  await once(child, 'message');
  const plan: DefendersPlan = { tenants, clientSecret, certFile, keyFile, further };
  child.send(plan);
  const [list] = (await once(child, 'message', { signal: AbortSignal.timeout(60_000) })) as [string[]];
  const origins = new Map(tenants.map((tenant, i) => [tenant, list[i] ?? '']));
  const dispatcher = new Agent({ connect: { ca: cert } });
  const originOf = (tenant: BenchTenant) => origins.get(tenant) ?? '';
  return {
    caFile: certFile,
    secretFile,
    originOf,
    async tell(tenant, path, body) {
      const answer = await request(`${originOf(tenant)}/control${path}`, {
        method: 'POST',
        dispatcher,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 300) throw new Error(`${path}: ${answer.statusCode} ${text}`);
    },
    async callsOf(tenant) {
      const { body } = await request(`${originOf(tenant)}/control/calls`, { dispatcher });
      const found = new Map<string, ArrivedCall[]>();
      for (const { operation, at, ...call } of callLog.parse(await body.json()).calls) {
        const name = operation.toLowerCase();
        found.set(name, [...(found.get(name) ?? []), { ...call, wallMs: Date.parse(at) }]);
      }
      return found;
    },
    async close() {
      await dispatcher.close();
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
