import { memberOf } from './read-answer.ts';

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

function readText(row: unknown, name: string): string | undefined {
  const value = memberOf(row, name);
  const text = typeof value === 'string' ? value.trim() : '';
  return text === '' ? undefined : text;
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

/** Longest id taken over; Defender's are under 50 characters. */
const maxIdLength = 200;
const noIds = new Set(['null', 'undefined', 'none', 'nan', '00000000-0000-0000-0000-000000000000']);

/**
 * An id member of an answer as a string, or undefined when it is missing or not trustworthy.
 * Numbers beyond 2^53 have already lost digits in JSON.parse, so they would name another investigation.
 */
export function readOpaqueId(body: unknown, member: string): string | undefined {
  const value = memberOf(body, member);
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? String(value) : undefined;
  if (typeof value !== 'string') return undefined;
  const id = value.trim();
  return isId(id) ? id : undefined;
}

/** One printable word. What reads as a number is one that counts: 0 is how some of Microsoft's APIs say "none". */
function isId(text: string): boolean {
  if (!/^[\x21-\x7e]+$/.test(text) || text.length > maxIdLength || noIds.has(text.toLowerCase()))
    return false;
  return Number.isNaN(Number(text)) || /^0*[1-9]\d*$/.test(text);
}
