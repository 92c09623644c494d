import type { OperationProfile, OperationResult, Parameters } from '@diq/contracts/operations/profile.ts';
import type { DefenderReader, OfMachines, Reading, Rows, Unreadable } from '../defender/defender-reader.ts';
import { longestOpenMs } from '../reconciliation/finding.ts';
import { runningAction } from '../reconciliation/match-action.ts';
import { runningInvestigation } from '../reconciliation/match-investigation.ts';
import { isOfThisRead } from './see-machines.ts';

/** Of what a task asks, what covers it. */
export interface Wanted {
  readonly machineId: string;
  readonly parameters: Parameters;
}

/** Something that runs and does all that is asked for, or nothing that does. */
export type CoverSeen =
  | { readonly kind: 'covered'; readonly result: OperationResult }
  | { readonly kind: 'uncovered' }
  | Unreadable;

type Lists = Pick<DefenderReader, 'listInvestigations' | 'listMachineActions'>;

/**
 * Looks in the list that the operation's profile names for what runs on these machines, by one read where there are several.
 *
 * @param nowMs local time, from which the age of what is listed is reckoned
 * @returns one answer for each, in their order
 */
export async function seeCover(
  wanted: readonly Wanted[],
  { token, reader, profile, nowMs }: { token: string; reader: Lists; profile: Covering; nowMs: number },
): Promise<CoverSeen[]> {
  const sinceMs = nowMs - longestOpenMs;
  const list = (machineId: OfMachines) => listRunning(reader, token, profile, { machineId, sinceMs });
  const [first] = wanted;
  if (first === undefined) return [];
  if (wanted.length === 1) return [coverOf(first, await list(first.machineId))];
  const listed = await list(wanted.map(({ machineId }) => machineId));
  if (listed.kind !== 'unreadable' || !isOfThisRead(listed)) return wanted.map((one) => coverOf(one, listed));
  return Promise.all(wanted.map(async (one) => coverOf(one, await list(one.machineId))));
}

type Covering = Pick<OperationProfile, 'records' | 'resultKind'>;

/** What runs on one machine and does what is asked for: its id. */
type FindRunning = (wanted: Wanted) => string | undefined;

async function listRunning(
  reader: Lists,
  token: string,
  { records, resultKind }: Covering,
  { machineId, sinceMs }: { machineId: OfMachines; sinceMs: number },
): Promise<Reading<(wanted: Wanted) => OperationResult | undefined>> {
  const asResult = (find: FindRunning) => (wanted: Wanted) => {
    const id = find(wanted);
    return id === undefined ? undefined : { kind: resultKind, id };
  };
  if (records.list === 'investigations') {
    const reading = await reader.listInvestigations(token, { startedSinceMs: sinceMs, machineId });
    return mapped(reading, (rows) =>
      asResult((wanted) => runningInvestigation(rows.records.filter(isOf(wanted)))?.id),
    );
  }
  const { type, covers } = records;
  const reading = await reader.listMachineActions(token, { type, createdSinceMs: sinceMs, machineId });
  return mapped(reading, (rows) =>
    asResult((wanted) => runningAction(rows.records.filter(isOf(wanted)), wanted.parameters, covers)?.id),
  );
}

function mapped<T, U>(reading: Reading<Rows<T>>, map: (rows: Rows<T>) => U): Reading<U> {
  return reading.kind === 'read' ? { kind: 'read', value: map(reading.value) } : reading;
}

/** A record that names no machine is no proof. */
function isOf({ machineId }: Wanted) {
  return (record: { machineId: string | undefined }) => record.machineId?.toLowerCase() === machineId;
}

function coverOf(
  wanted: Wanted,
  reading: Reading<(wanted: Wanted) => OperationResult | undefined>,
): CoverSeen {
  if (reading.kind === 'unreadable') return reading;
  if (reading.kind === 'not_found')
    return { kind: 'unreadable', reason: 'unexpected_answer', httpStatus: 404 };
  const result = reading.value(wanted);
  return result === undefined ? { kind: 'uncovered' } : { kind: 'covered', result };
}
