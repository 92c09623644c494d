import { Pool } from 'undici';
import { machinePath } from '@diq/contracts/operations/machine-path.ts';
import { createBoundedConnector } from '@diq/runtime/http-client/bounded-connection.ts';
import {
  readAlert,
  readInvestigation,
  readMachineAction,
  readPage,
  type Alert,
  type Investigation,
  type MachineAction,
  type OddRow,
  type Row,
} from './defender-records.ts';
import { parseBaseUrl } from './address.ts';
import { readAnswer, type Answer, type BodyFault } from './read-answer.ts';
import { parseRetryAfter } from '@diq/runtime/http-server/retry-after.ts';

export type { Alert, Investigation, OddRow } from './defender-records.ts';

/** Why Defender's books could not be read. Never free text, never a secret. */
export type ReadFailure =
  | 'token_rejected'
  | 'not_allowed'
  | 'throttled'
  | 'server_error'
  | 'unexpected_answer'
  | 'unknown_coding'
  | 'too_long'
  | 'too_many_pages'
  | 'foreign_link'
  | 'timeout'
  | 'connection'
  | 'closed';

export interface Unreadable {
  readonly kind: 'unreadable';
  readonly reason: ReadFailure;
  /** Of an answer that is no list. */
  readonly httpStatus?: number;
  /** How long Defender asked to be left alone. */
  readonly retryAfterMs?: number;
}

/** What a read gave. Only `read` and `not_found` are statements of Defender's. */
export type Reading<T> =
  { readonly kind: 'read'; readonly value: T } | { readonly kind: 'not_found' } | Unreadable;

/** A list as far as its rows can be read: one that is odd spoils none beside it. */
export interface Rows<T> {
  readonly records: readonly T[];
  /** May match the query. */
  readonly odd: readonly OddRow[];
}

/** The lists that are read. */
export const lists = ['alerts', 'investigations', 'machine_actions'] as const;

export type ListName = (typeof lists)[number];

export type DefenderReader = ReturnType<typeof createDefenderReader>;

export interface DefenderReaderOptions {
  /** https, or http on a loopback address; anything else throws RangeError. */
  readonly baseUrl: string;
  /** For one page: connecting, headers and body together. */
  readonly timeoutMs: number;
  /** PEM of the only authority to trust, instead of Node's own list. */
  readonly connect?: { readonly ca?: string };
  /** Called once for each list in which rows could not be read. */
  readonly onOddRows?: (list: ListName, rows: { readonly odd: number; readonly read: number }) => void;
  /** Local time in ms, for Retry-After dates in answers that carry no Date. */
  readonly now?: () => number;
}

/** Pages of one list that are followed; Defender puts up to 10,000 rows on one. */
const maxPages = 10;
/** Longest page taken in: an alert with its evidence has a few KiB. */
const maxPageBytes = 16 * 1024 * 1024;
/** Of all pages of one list together, because its rows are in memory at the same time. */
const maxListBytes = 48 * 1024 * 1024;
/** Of all pages of one list together: ten pages of Defender's have 100,000. */
const maxListRows = 250_000;
const secondMs = 1_000;

/**
 * Reads what Defender knows, and changes nothing there, on the host that calls go to: hosts are replicas of each other and
 * lag. No read rejects. Rows come one by one: 200,000 of them are a list like any other.
 */
export function createDefenderReader(options: DefenderReaderOptions) {
  const base = parseBaseUrl(options.baseUrl);
  const pool = new Pool(base.origin, {
    connections: 4,
    pipelining: 1,
    connect: createBoundedConnector({
      maxBodyBytes: maxPageBytes,
      timeoutMs: options.timeoutMs,
      ca: options.connect?.ca,
    }),
    maxResponseSize: maxPageBytes,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const closing = new AbortController();
  const get: Get = (path, token) => getPage({ pool, options, closing: closing.signal }, path, token);
  const readList = async <T>(list: List<T>): Promise<Reading<Rows<T>>> => {
    const counts = { odd: 0, read: 0 };
    const reading = await readPages(get, base.origin, list, counts);
    if (counts.odd > 0) options.onOddRows?.(list.list, counts);
    return reading;
  };

  return {
    /** Investigations started since then, compared by whole seconds as Defender does; also those without a start. */
    async listInvestigations(
      token: string,
      { startedSinceMs, machineId }: { startedSinceMs: number; machineId?: string },
    ): Promise<Reading<Rows<Investigation>>> {
      const sinceMs = Math.floor(startedSinceMs / secondMs) * secondMs;
      const since = `startTime ge ${new Date(sinceMs).toISOString().replace('.000Z', 'Z')}`;
      const filter = machineId === undefined ? since : `machineId eq ${quoted(machineId)} and ${since}`;
      const path = `${base.pathPrefix}/api/investigations?$filter=${encodeURIComponent(filter)}`;
      return readList({
        list: 'investigations',
        path,
        token,
        read: readInvestigation,
        keep: (one) => isSince(one.startTimeMs, sinceMs) && isOf(one, machineId),
        keepOdd: (one) => isSince(one.atMs, sinceMs) && isOf(one, machineId),
      });
    },
    /** Machine actions of this type created since then. */
    async listMachineActions(
      token: string,
      { type, createdSinceMs, machineId }: { type: string; createdSinceMs: number; machineId?: string },
    ): Promise<Reading<Rows<MachineAction>>> {
      const filter = [
        ...(machineId === undefined ? [] : [`machineId eq ${quoted(machineId)}`]),
        `type eq ${quoted(type)}`,
        `creationDateTimeUtc ge ${new Date(createdSinceMs).toISOString()}`,
      ].join(' and ');
      return readList({
        list: 'machine_actions',
        path: `${base.pathPrefix}/api/machineactions?$filter=${encodeURIComponent(filter)}`,
        token,
        read: readMachineAction,
        keep: (one) => isSince(one.createdAtMs, createdSinceMs) && isOf(one, machineId),
        keepOdd: (one) => isSince(one.atMs, createdSinceMs) && isOf(one, machineId),
      });
    },
    /** @param id an investigation's id, or the id of the alert that triggered it */
    async findInvestigation(token: string, id: string): Promise<Reading<Investigation>> {
      const page = await get(`${base.pathPrefix}/api/investigations/${encodeURIComponent(id)}`, token);
      if (page.kind !== 'read') return page;
      const row = readInvestigation(page.value.body);
      return row.kind === 'record' ? { kind: 'read', value: row.record } : unreadable('unexpected_answer');
    },
    async listAlerts(
      token: string,
      { machineId, createdSinceMs }: { machineId: string; createdSinceMs: number },
    ): Promise<Reading<Rows<Alert>>> {
      return readList({
        list: 'alerts',
        path: base.pathPrefix + machinePath(machineId, 'alerts'),
        token,
        read: readAlert,
        keep: (one) => one.createdAtMs >= createdSinceMs && isOf(one, machineId),
        keepOdd: (one) => isSince(one.atMs, createdSinceMs) && isOf(one, machineId),
      });
    },
    /** Gives up the reads under way; they and all later ones are `unreadable`, reason `closed`. */
    async close() {
      closing.abort();
      await pool.destroy();
    },
  };
}

type Get = (path: string, token: string) => Promise<Reading<Answer>>;

interface List<T> {
  readonly list: ListName;
  readonly path: string;
  readonly token: string;
  readonly read: (row: unknown) => Row<T>;
  /** What was asked for; Defender may show more. */
  readonly keep: (record: T) => boolean;
  readonly keepOdd: (row: OddRow) => boolean;
}

/** A list that was not read to its end is not read at all: what is missing could be what is looked for. */
async function readPages<T>(
  get: Get,
  origin: string,
  list: List<T>,
  counts: { odd: number; read: number },
): Promise<Reading<Rows<T>>> {
  const records: T[] = [];
  const odd: OddRow[] = [];
  let next = list.path;
  let bytes = 0;
  let rows = 0;
  for (let page = 0; page < maxPages; page += 1) {
    const answer = await get(next, list.token);
    if (answer.kind !== 'read') return answer;
    const content = readPage(answer.value.body);
    if (content === undefined) return unreadable('unexpected_answer');
    bytes += answer.value.bodyBytes ?? 0;
    rows += content.rows.length;
    if (bytes > maxListBytes || rows > maxListRows) return unreadable('too_long');
    for (const one of content.rows) {
      const row = list.read(one);
      counts[row.kind === 'odd' ? 'odd' : 'read'] += 1;
      if (row.kind === 'record' && list.keep(row.record)) records.push(row.record);
      if (row.kind === 'odd' && list.keepOdd(row.odd)) odd.push(row.odd);
    }
    if (content.nextLink === undefined) return { kind: 'read', value: { records, odd } };
    // The token goes along, and only to the host that it was meant for.
    const { nextLink } = content;
    const url = URL.canParse(nextLink, origin) ? new URL(nextLink, origin) : undefined;
    if (url?.origin !== origin) return unreadable('foreign_link');
    next = url.pathname + url.search;
  }
  return unreadable('too_many_pages');
}

async function getPage(
  { pool, options, closing }: { pool: Pool; options: DefenderReaderOptions; closing: AbortSignal },
  path: string,
  token: string,
): Promise<Reading<Answer>> {
  if (closing.aborted) return unreadable('closed');
  const timeout = AbortSignal.timeout(options.timeoutMs);
  try {
    const response = await pool.request({
      method: 'GET',
      path,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        'accept-encoding': 'identity',
        'user-agent': 'defender-investigation-queue',
      },
      // Reads are seldom: a connection kept for the next one would most often be found closed.
      reset: true,
      signal: AbortSignal.any([timeout, closing]),
    });
    const answer = await readAnswer(response, { secret: token, maxBytes: maxPageBytes });
    if (answer.body === undefined && timeout.aborted) return unreadable('timeout');
    return verdictOn(answer, (options.now ?? Date.now)());
  } catch {
    if (closing.aborted) return unreadable('closed');
    return unreadable(timeout.aborted ? 'timeout' : 'connection');
  }
}

function verdictOn(answer: Answer, nowMs: number): Reading<Answer> {
  const { status, headers } = answer;
  const retryAfterMs = parseRetryAfter(headers, nowMs);
  const later = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 200) {
    const { bodyFault } = answer;
    return bodyFault === undefined ? { kind: 'read', value: answer } : unreadable(failureOf[bodyFault]);
  }
  if (status === 404) return { kind: 'not_found' };
  const met = { httpStatus: status };
  if (status === 401) return { ...unreadable('token_rejected'), ...met };
  if (status === 403 || status === 407) return { ...unreadable('not_allowed'), ...met };
  if (status === 429) return { ...unreadable('throttled'), ...met, ...later };
  if (status >= 500 || status === 408) return { ...unreadable('server_error'), ...met, ...later };
  return { ...unreadable('unexpected_answer'), ...met };
}

const failureOf = {
  cut_off: 'connection',
  too_long: 'too_long',
  unknown_coding: 'unknown_coding',
  not_json: 'unexpected_answer',
} as const satisfies Record<BodyFault, ReadFailure>;

function unreadable(reason: ReadFailure): Unreadable {
  return { kind: 'unreadable', reason };
}

/** A record without a time may be of any time. */
function isSince(atMs: number | undefined, sinceMs: number): boolean {
  return atMs === undefined || atMs >= sinceMs;
}

/** Some records name no machine; the question was for this one. */
function isOf(record: { machineId: string | undefined }, machineId: string | undefined): boolean {
  if (record.machineId === undefined || machineId === undefined) return true;
  return record.machineId.toLowerCase() === machineId.toLowerCase();
}

/** OData doubles a quote inside a literal. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
