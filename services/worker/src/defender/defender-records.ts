import type { ShownAction } from '@diq/contracts/operations/profile.ts';
import { readAction } from '@diq/contracts/operations/read-action.ts';
import { memberOf, readOpaqueId, readText } from '@diq/contracts/operations/read-id.ts';

/** An investigation as Defender shows it, as far as it is of use here. */
export interface Investigation {
  readonly id: string;
  /** Whole seconds; one that was only just begun may have none, and one that cannot be read counts as none. */
  readonly startTimeMs: number | undefined;
  readonly endTimeMs: number | undefined;
  /** One of Defender's 18 states, or a new one. */
  readonly state: string;
  readonly machineId: string | undefined;
  readonly triggeringAlertId: string | undefined;
}

export interface Alert {
  readonly id: string;
  readonly createdAtMs: number;
  readonly title: string;
  readonly machineId: string | undefined;
  /** Missing until Defender has linked the two. */
  readonly investigationId: string | undefined;
  /** Free text; names who started an investigation by hand. */
  readonly description: string;
}

/** A machine action as Defender shows it. */
export interface MachineAction extends ShownAction {
  readonly createdAtMs: number | undefined;
  /** Of one that has ended: when that was. */
  readonly updatedAtMs: number | undefined;
  /** Pending, InProgress, Succeeded, Failed, TimeOut, Cancelled, or a new one; empty where it cannot be read. */
  readonly status: string;
  readonly machineId: string | undefined;
}

/** A machine as Defender shows it. */
export interface Machine {
  /** In lower case. */
  readonly id: string;
  readonly computerDnsName: string | undefined;
  readonly aadDeviceId: string | undefined;
  /** The last full report, about once a day. */
  readonly lastSeenMs: number | undefined;
  /** Its record was merged into another one. */
  readonly isMerged: boolean;
  /** Active, Inactive, ImpairedCommunication, NoSensorData, NoSensorDataImpairedCommunication, Unknown, or a new one. */
  readonly healthStatus: string | undefined;
  /** Onboarded, CanBeOnboarded, Unsupported, InsufficientInfo, or a new one. */
  readonly onboardingStatus: string | undefined;
}

/** A row of a list without what it would be known by: an id, and for an alert its time. */
export interface OddRow {
  /** When it began or was created, where that can be read. */
  readonly atMs: number | undefined;
  /** An alert's, where it can be read. */
  readonly title: string | undefined;
  readonly machineId: string | undefined;
}

/** One row: a record, or one that cannot be used. */
export type Row<T> =
  { readonly kind: 'record'; readonly record: T } | { readonly kind: 'odd'; readonly odd: OddRow };

/** Only a missing id makes a row unreadable: any other odd member counts as missing. */
export function readInvestigation(row: unknown): Row<Investigation> {
  const id = readOpaqueId(row, 'id');
  const startTimeMs = readTimeMs(row, 'startTime');
  const machineId = readText(row, 'machineId');
  if (id === undefined) return { kind: 'odd', odd: { atMs: startTimeMs, title: undefined, machineId } };
  const record = {
    id,
    startTimeMs,
    endTimeMs: readTimeMs(row, 'endTime'),
    state: readText(row, 'state') ?? 'Unknown',
    machineId,
    triggeringAlertId: readOpaqueId(row, 'triggeringAlertId'),
  };
  return { kind: 'record', record };
}

/** Only a missing id makes a row unreadable, as with investigations. */
export function readMachineAction(row: unknown): Row<MachineAction> {
  const shown = readAction(row);
  const createdAtMs = readTimeMs(row, 'creationDateTimeUtc');
  const machineId = readText(row, 'machineId');
  if (shown === undefined) return { kind: 'odd', odd: { atMs: createdAtMs, title: undefined, machineId } };
  return {
    kind: 'record',
    record: {
      ...shown,
      createdAtMs,
      // Defender's samples have it by either name.
      updatedAtMs: readTimeMs(row, 'lastUpdateDateTimeUtc') ?? readTimeMs(row, 'lastUpdateTimeUtc'),
      status: readText(row, 'status') ?? '',
      machineId,
    },
  };
}

/** An id that is none of a machine makes a row unreadable; one can look like a number, as 000…0e1 does. */
export function readMachine(row: unknown): Row<Machine> {
  const id = readText(row, 'id')?.toLowerCase();
  if (id === undefined || !/^(?:[\da-f]{40}|[\da-f]{32})$/.test(id))
    return { kind: 'odd', odd: { atMs: undefined, title: undefined, machineId: undefined } };
  const record = {
    id,
    computerDnsName: readText(row, 'computerDnsName'),
    aadDeviceId: readText(row, 'aadDeviceId'),
    lastSeenMs: readTimeMs(row, 'lastSeen'),
    isMerged: readText(row, 'mergedIntoMachineId') !== undefined,
    healthStatus: readText(row, 'healthStatus'),
    onboardingStatus: readText(row, 'onboardingStatus'),
  };
  return { kind: 'record', record };
}

export function readAlert(row: unknown): Row<Alert> {
  const id = readOpaqueId(row, 'id');
  const createdAtMs = readTimeMs(row, 'alertCreationTime');
  const title = readText(row, 'title');
  const machineId = readText(row, 'machineId');
  if (id === undefined || createdAtMs === undefined) {
    return { kind: 'odd', odd: { atMs: createdAtMs, title, machineId } };
  }
  const record = {
    id,
    createdAtMs,
    title: title ?? '',
    machineId,
    investigationId: readOpaqueId(row, 'investigationId'),
    description: readText(row, 'description') ?? '',
  };
  return { kind: 'record', record };
}

/**
 * One page of an OData list: its rows as they came.
 *
 * @returns `undefined` for what is no page, or does not say whether it is the last one
 */
export function readPage(body: unknown) {
  const rows = memberOf(body, 'value');
  const nextLink = memberOf(body, '@odata.nextLink') ?? '';
  if (!Array.isArray(rows) || typeof nextLink !== 'string') return undefined;
  return { rows: rows as unknown[], nextLink: nextLink.trim() === '' ? undefined : nextLink };
}

/**
 * To the second at least: a time given by the minute or the day could be a later moment. A time without a zone is in UTC,
 * as all of Defender's are.
 */
const timePattern = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d(?::?\d\d)?)?$/i;
/** .NET writes the year 1 for a time that was never set; nothing in Defender is older than Defender. */
const earliestMs = Date.UTC(2000, 0);

function readTimeMs(row: unknown, name: string): number | undefined {
  const match = timePattern.exec(readText(row, name) ?? '');
  if (!match) return undefined;
  const [, date = '', time = '', fraction = '', zone = 'Z'] = match;
  const offset = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}` : 'Z';
  const ms = Date.parse(`${date}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}${offset}`);
  return ms >= earliestMs ? ms : undefined;
}
