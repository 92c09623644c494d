import { readFile } from 'node:fs/promises';

import { z } from 'zod';

/** A record as it is written down: an id, and whatever differs from a usual one. */
export const machineSchema = z.looseObject({ id: z.string().min(1), computerDnsName: z.string().optional() });
const listSchema = z.array(z.union([z.string().min(1), machineSchema]));

/** A device as `GET /api/machines/{id}` shows it. */
export interface Machine {
  id: string;
  computerDnsName: string;
  [field: string]: unknown;
}

export interface Machines {
  /** By device id, exact, lower case. */
  find(id: string): Machine | undefined;
  /** By device id or by computer name. */
  findByIdOrName(idOrName: string): Machine | undefined;
  /** All that are in the list or were added; of those that are known by the form of their id, the ones with these ids. */
  list(ids: readonly string[]): Machine[];
  /** A record from now on, in place of one with the same id. What is not said of it is as usual. */
  add(record: z.output<typeof machineSchema>): Machine;
}

/**
 * Without a file, every id of 32 or 40 lower-case hex digits is a known device, except those that start with `dead`:
 * they are unknown (404). With a file, exactly its devices are known: a JSON list of ids or of objects with an `id`
 * and whatever else the device record shall contain. What is added later is known as well.
 *
 * @throws when the file cannot be read or is not such a list
 */
export async function readMachines(file: string | undefined): Promise<Machines> {
  const isKnown = file === undefined ? isKnownByDefault : () => false;
  const byId = new Map<string, Machine>();
  const find = (id: string) => byId.get(id) ?? (isKnown(id) ? machineOf(id) : undefined);
  const machines: Machines = {
    find,
    findByIdOrName: (wanted) =>
      find(wanted) ?? [...byId.values()].find(({ computerDnsName }) => computerDnsName === wanted),
    list(ids) {
      const others = [...new Set(ids)].filter((id) => !byId.has(id));
      return [...byId.values(), ...others.flatMap((id) => find(id) ?? [])];
    },
    add(record) {
      const machine = { ...machineOf(record.id), ...record } as Machine;
      byId.set(machine.id, machine);
      return machine;
    },
  };
  for (const one of file === undefined ? [] : await listIn(file)) {
    machines.add(typeof one === 'string' ? { id: one } : one);
  }
  return machines;
}

async function listIn(file: string): Promise<z.output<typeof listSchema>> {
  const list = listSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
  if (!list.success) throw new Error(`${file} is no list of machines: ${z.prettifyError(list.error)}`);
  return list.data;
}

function isKnownByDefault(id: string): boolean {
  return /^(?:[0-9a-f]{32}|[0-9a-f]{40})$/.test(id) && !id.startsWith('dead');
}

function machineOf(id: string): Machine {
  return {
    id,
    mergedIntoMachineId: null,
    isPotentialDuplication: false,
    isExcluded: false,
    exclusionReason: null,
    computerDnsName: `desktop-${id.slice(0, 7)}`,
    firstSeen: '2026-01-05T09:00:00.1234567Z',
    lastSeen: '2026-11-01T09:00:00.1234567Z',
    osPlatform: 'Windows11',
    osVersion: null,
    osProcessor: 'x64',
    version: '24H2',
    lastIpAddress: '172.20.10.4',
    lastExternalIpAddress: '203.0.113.7',
    agentVersion: '10.8470.26100.1',
    osBuild: 26100,
    healthStatus: 'Active',
    deviceValue: 'Normal',
    rbacGroupId: 0,
    rbacGroupName: null,
    riskScore: 'Medium',
    exposureLevel: 'Medium',
    isAadJoined: true,
    aadDeviceId: null,
    machineTags: [],
    defenderAvStatus: 'Updated',
    onboardingStatus: 'Onboarded',
    osArchitecture: '64-bit',
    managedBy: 'Intune',
    managedByStatus: 'Unknown',
    ipAddresses: [],
    vmMetadata: null,
  };
}
