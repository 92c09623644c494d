import type { Reply } from './reply.ts';

/** What a list or a record of Defender's says that does not fit what is, or what it said before. */
export const contradictions = [
  'reopened',
  'twice',
  'end-before-start',
  'unknown-state',
  'foreign-beside',
  'foreign-instead',
] as const;

export type Contradiction = (typeof contradictions)[number];

type Row = Record<string, unknown>;

const foreignMachine = 'f'.repeat(40);
const hourMs = 3_600_000;

/** The row, or the rows, that stand in the place of a proper one. */
const falseRows: Readonly<Record<Contradiction, (row: Row) => Row[]>> = {
  // As if what has ended ran again.
  reopened: (row) => [opened(row)],
  // Once as it is, once as it is not: now before the proper one, now behind it.
  twice: (row) => (String(row['id']) < '8' ? [row, opposite(row)] : [opposite(row), row]),
  'end-before-start': (row) => [endedBeforeStart(row)],
  'unknown-state': (row) => [withState(opened(row), 'Halting')],
  // Of the same id, in another tenant: it has ended.
  'foreign-beside': (row) => [foreign(row), row],
  'foreign-instead': (row) => [foreign(row)],
};

/** Replaces the rows of a list, or the record. A body of another form stays as it is. */
export function withContradictions(reply: Reply, form: Contradiction): Reply {
  return mapRows(reply, (rows) => rows.flatMap(falseRows[form]));
}

/** Leaves out of a list what was made within so many ms; `undefined` where it was the record itself. */
export function withoutLatest(reply: Reply, ms: number): Reply | undefined {
  const isKept = (row: Row) => !(madeMs(row) > Date.now() - ms);
  const document = JSON.parse(reply.body) as Row;
  if (!Array.isArray(document['value']) && !isKept(document)) return undefined;
  return mapRows(reply, (rows) => rows.filter(isKept));
}

function mapRows(reply: Reply, map: (rows: Row[]) => Row[]): Reply {
  const document = JSON.parse(reply.body) as Row;
  const { value } = document;
  if (Array.isArray(value))
    return { ...reply, body: JSON.stringify({ ...document, value: map(value as Row[]) }) };
  if (stateKey(document) === undefined) return reply;
  // Of a record there is one.
  return { ...reply, body: JSON.stringify(map([document])[0]) };
}

/** Machine actions have a `status` beside their `type`, investigations a `state`. */
function stateKey(row: Row): 'status' | 'state' | undefined {
  if (typeof row['state'] === 'string' && 'startTime' in row) return 'state';
  return typeof row['status'] === 'string' && 'creationDateTimeUtc' in row ? 'status' : undefined;
}

function isOpen(row: Row): boolean {
  return ['Pending', 'InProgress', 'Running'].includes(String(row[stateKey(row) ?? '']));
}

function withState(row: Row, state: string): Row {
  const key = stateKey(row);
  return key === undefined ? row : { ...row, [key]: state };
}

function opened(row: Row): Row {
  return stateKey(row) === 'state'
    ? { ...withState(row, 'Running'), endTime: null }
    : withState(row, 'Pending');
}

function ended(row: Row): Row {
  const at = new Date().toISOString();
  return stateKey(row) === 'state'
    ? { ...withState(row, 'SuccessfullyRemediated'), endTime: at }
    : { ...withState(row, 'Succeeded'), lastUpdateDateTimeUtc: at };
}

function opposite(row: Row): Row {
  return isOpen(row) ? ended(row) : opened(row);
}

function endedBeforeStart(row: Row): Row {
  const at = new Date(madeMs(row) - hourMs).toISOString();
  return stateKey(row) === 'state' ? { ...row, endTime: at } : { ...row, lastUpdateDateTimeUtc: at };
}

function foreign(row: Row): Row {
  return { ...ended(row), machineId: foreignMachine, computerDnsName: 'another-tenants' };
}

function madeMs(row: Row): number {
  const at = row['creationDateTimeUtc'] ?? row['startTime'] ?? row['alertCreationTime'];
  return typeof at === 'string' ? Date.parse(at) : Number.NaN;
}
