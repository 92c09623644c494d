import { readFile } from 'node:fs/promises';

import { z } from 'zod';

const machineSchema = z.looseObject({ id: z.string().min(1), computerDnsName: z.string().optional() });
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
}

/**
 * Without a file, every id of 32 or 40 lower-case hex digits is a known device, except those that start with `dead`:
 * they are unknown (404). With a file, exactly its devices are known: a JSON list of ids or of objects with an `id`
 * and whatever else the device record shall contain.
 *
 * @throws when the file cannot be read or is not such a list
 */
export async function readMachines(file: string | undefined): Promise<Machines> {
  if (file === undefined) return everyMachine;
  const list = listSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
  if (!list.success) throw new Error(`${file} is no list of machines: ${z.prettifyError(list.error)}`);
  const byId = new Map<string, Machine>();
  for (const item of list.data) {
    const machine = typeof item === 'string' ? machineOf(item) : { ...machineOf(item.id), ...item };
    byId.set(machine.id, machine as Machine);
  }
  return {
    find: (id) => byId.get(id),
    findByIdOrName: (wanted) =>
      byId.get(wanted) ?? [...byId.values()].find(({ computerDnsName }) => computerDnsName === wanted),
  };
}

const everyMachine: Machines = {
  find: (id) => (isKnownByDefault(id) ? machineOf(id) : undefined),
  findByIdOrName: (id) => (isKnownByDefault(id) ? machineOf(id) : undefined),
};

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
