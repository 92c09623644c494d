import type { MachineWarning } from '@diq/contracts/machine-warnings.ts';
import type { DefenderReader, Machine, Reading, Rows, Unreadable } from '../defender/defender-reader.ts';

/** What Defender says of a machine. */
export type MachineSeen =
  | { readonly kind: 'known'; readonly warnings: readonly MachineWarning[] }
  | { readonly kind: 'unknown' }
  | Unreadable;

/** Defender's own word that there is no such machine; `NotFound` is a route that it does not know. */
export const unknownCode = 'ResourceNotFound';
/** Defender gets no reports of these. */
const offline: ReadonlySet<string> = new Set([
  'Inactive',
  'NoSensorData',
  'NoSensorDataImpairedCommunication',
]);

/**
 * Asks about these machines, by one read where there are several. That list leaves out machines that were not seen for long, so
 * only the read of the one machine says that Defender does not know it.
 */
export async function seeMachines(
  machineIds: readonly string[],
  token: string,
  reader: Pick<DefenderReader, 'listMachines' | 'findMachine'>,
): Promise<Map<string, MachineSeen>> {
  const listed = await listOf(machineIds, token, reader);
  if (listed.kind === 'unreadable' && !isOfThisRead(listed)) {
    return new Map(machineIds.map((id) => [id, listed]));
  }
  const records = listed.kind === 'read' ? listed.value.records : [];
  const seen = new Map(records.map((machine) => [machine.id, known(machine)]));
  const missing = machineIds.filter((id) => !seen.has(id));
  const found = await Promise.all(
    missing.map(async (id) => [id, seenBy(await reader.findMachine(token, id))] as const),
  );
  return new Map([...seen, ...found]);
}

async function listOf(
  machineIds: readonly string[],
  token: string,
  reader: Pick<DefenderReader, 'listMachines'>,
): Promise<Reading<Rows<Machine>>> {
  return machineIds.length > 1
    ? reader.listMachines(token, { by: 'id', values: machineIds })
    : { kind: 'not_found' };
}

/** A read that was answered in another form than it should be says nothing about reads of another form. */
export function isOfThisRead({ reason }: Unreadable): boolean {
  return reason === 'unexpected_answer' || reason === 'too_long' || reason === 'too_many_pages';
}

function seenBy(reading: Reading<Machine>): MachineSeen {
  if (reading.kind === 'read') return known(reading.value);
  if (reading.kind === 'unreadable') return reading;
  return reading.errorCode === unknownCode
    ? { kind: 'unknown' }
    : { kind: 'unreadable', reason: 'unexpected_answer', httpStatus: 404 };
}

function known({ healthStatus = '', onboardingStatus = 'Onboarded' }: Machine): MachineSeen {
  const warnings: MachineWarning[] = [];
  if (offline.has(healthStatus)) warnings.push('machine_offline');
  if (onboardingStatus !== 'Onboarded') warnings.push('machine_not_onboarded');
  return { kind: 'known', warnings };
}
