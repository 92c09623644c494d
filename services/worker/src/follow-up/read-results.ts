import type { Records } from '@diq/contracts/operations/profile.ts';
import type { OpenResult } from '@diq/queue/results/result-store.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import type { DefenderReader, Reading } from '../defender/defender-reader.ts';
import { agreed, judgeAction, judgeInvestigation, type SeenResult, type SeenRow } from './judge-result.ts';

export type ListOf = Records['list'];

/** Of one result: what Defender shows, that it shows none, or that it could not be read. */
export type ResultReading =
  | { readonly kind: 'seen'; readonly seen: SeenResult }
  /** `elsewhere`: its id is shown, for another machine. */
  | { readonly kind: 'not_shown'; readonly elsewhere?: true }
  | { readonly kind: 'unreadable'; readonly reason: string; readonly retryAfterMs?: number };

/** Defender's clock and ours differ by some seconds. */
const clockSlackMs = 60_000;
/** What a list does not show is read one by one: so many at a time, the others later. */
const mostSingleReads = 5;

/** Reads in one list what became of results, each by Defender's id; those that it does not show one by one, some at a time. */
export async function readResults(
  list: ListOf,
  results: readonly OpenResult[],
  { reader, tokens }: { reader: DefenderReader; tokens: TokenProvider },
): Promise<Map<OpenResult, ResultReading>> {
  const token = await tokens.get();
  if (token.kind === 'unavailable') {
    const later = token.retryAfterMs === undefined ? {} : { retryAfterMs: token.retryAfterMs };
    return new Map(results.map((one) => [one, { kind: 'unreadable', reason: 'no_token', ...later }]));
  }
  const found = await readList(list, results, reader, token.token);
  if (found.kind === 'unreadable' && found.reason === 'token_rejected')
    await tokens.renewAfterRejection(token.token);
  const readings = new Map<OpenResult, ResultReading>();
  let singles = 0;
  // A list that is too long to be read leaves the single reads.
  let trouble: ResultReading | undefined = isTooLong(found) ? undefined : troubleOf(found);
  for (const result of results) {
    const seen = found.kind === 'read' ? agreed(found.value.get(result.id), result.machineId) : undefined;
    if (seen) readings.set(result, { kind: 'seen', seen });
    else if (trouble) readings.set(result, trouble);
    else if (singles === mostSingleReads) {
      readings.set(result, { kind: 'unreadable', reason: 'next_time' });
    } else {
      singles += 1;
      const reading = await readOne(list, result, reader, token.token);
      readings.set(result, reading);
      if (reading.kind === 'unreadable') trouble = reading;
    }
  }
  return readings;
}

/** Its rows by id. An investigation can be known by the alert that triggered it. */
async function readList(
  list: ListOf,
  results: readonly OpenResult[],
  reader: DefenderReader,
  token: string,
): Promise<Reading<Map<string, SeenRow[]>>> {
  const sinceMs = Math.min(...results.map((one) => one.startedAtMs ?? one.calledAtMs)) - clockSlackMs;
  const rows = new Map<string, SeenRow[]>();
  // Appended in place: a list may show one id 250,000 times.
  const add = (id: string, row: SeenRow): void => {
    const known = rows.get(id);
    if (known) known.push(row);
    else rows.set(id, [row]);
  };
  if (list === 'machineActions') {
    const actions = await reader.listMachineActions(token, { createdSinceMs: sinceMs });
    if (actions.kind !== 'read') return actions;
    for (const action of actions.value.records) add(action.id, rowOf(action, judgeAction));
    return { kind: 'read', value: rows };
  }
  const investigations = await reader.listInvestigations(token, { startedSinceMs: sinceMs });
  if (investigations.kind !== 'read') return investigations;
  for (const one of investigations.value.records) {
    const row = rowOf(one, judgeInvestigation);
    add(one.id, row);
    if (one.triggeringAlertId !== undefined && one.triggeringAlertId !== one.id)
      add(one.triggeringAlertId, row);
  }
  return { kind: 'read', value: rows };
}

async function readOne(
  list: ListOf,
  { id, machineId }: OpenResult,
  reader: DefenderReader,
  token: string,
): Promise<ResultReading> {
  const reading =
    list === 'machineActions'
      ? mapped(await reader.findMachineAction(token, id), (one) => rowOf(one, judgeAction))
      : mapped(await reader.findInvestigation(token, id), (one) => rowOf(one, judgeInvestigation));
  if (reading.kind === 'unreadable') return reading;
  if (reading.kind !== 'read') return { kind: 'not_shown' };
  const seen = agreed([reading.value], machineId);
  return seen ? { kind: 'seen', seen } : { kind: 'not_shown', elsewhere: true };
}

function rowOf<T extends { machineId: string | undefined }>(one: T, judge: (one: T) => SeenResult): SeenRow {
  return { ...judge(one), machineId: one.machineId };
}

function mapped<T>(reading: Reading<T>, map: (value: T) => SeenRow): Reading<SeenRow> {
  return reading.kind === 'read' ? { kind: 'read', value: map(reading.value) } : reading;
}

function isTooLong(reading: Reading<unknown>): boolean {
  return reading.kind === 'unreadable' && ['too_long', 'too_many_pages'].includes(reading.reason);
}

function troubleOf(reading: Reading<unknown>): ResultReading | undefined {
  return reading.kind === 'unreadable' ? reading : undefined;
}
