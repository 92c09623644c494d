import { Agent } from 'undici';
import { machinePath } from '@diq/contracts/operations/machine-path.ts';
import { readText } from '@diq/contracts/operations/read-id.ts';
import type { ReadBudget } from '@diq/quota/reads/read-budget.ts';
import { createBoundedConnector } from '@diq/runtime/http-client/bounded-connection.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import {
  readAlert,
  readInvestigation,
  readMachine,
  readMachineAction,
  readPage,
  type Alert,
  type Investigation,
  type Machine,
  type MachineAction,
  type OddRow,
  type Row,
} from './defender-records.ts';
import { parseBaseUrl } from './address.ts';
import { createGetPage, maxPageBytes, type GetPage } from './get-page.ts';
import { unreadable, type Patience, type Reading } from './reading.ts';

export type { Alert, Investigation, Machine, OddRow } from './defender-records.ts';
export type { Patience, ReadFailure, Reading, Unreadable } from './reading.ts';

/** A list as far as its rows can be read: one that is odd spoils none beside it. */
export interface Rows<T> {
  readonly records: readonly T[];
  /** May match the query. */
  readonly odd: readonly OddRow[];
}

/** The lists that are read. */
export const lists = ['alerts', 'investigations', 'machine_actions', 'machines'] as const;

export type ListName = (typeof lists)[number];

/** A machine, several of which all records are wanted, or none for all machines. */
export type OfMachines = string | readonly string[] | undefined;

export type DefenderReader = ReturnType<typeof createDefenderReader>;

export interface DefenderReaderOptions {
  /** https, or http on a loopback address; anything else throws RangeError. */
  readonly baseUrl: string;
  /** Each page takes a read of it before it is sent. */
  readonly budget: ReadBudget;
  /** For one page: connecting, headers and body together. */
  readonly timeoutMs: number;
  /** PEM of the only authority to trust, instead of Node's own list. */
  readonly connect?: { readonly ca?: string };
  /** Through which Defender is reached, if it is used for it. */
  readonly proxy?: Proxy | undefined;
  /** Connections that it shares with other readers, closed by who made them; by default its own. */
  readonly agent?: Agent;
  /** Called once for each list in which rows could not be read. */
  readonly onOddRows?: (list: ListName, rows: { readonly odd: number; readonly read: number }) => void;
  /** Local time in ms, for Retry-After dates in answers that carry no Date. */
  readonly now?: () => number;
}

/** Pages of one list that are followed; Defender puts up to 10,000 rows on one. */
const maxPages = 10;
/** Of all pages of one list together, because its rows are in memory at the same time. */
const maxListBytes = 48 * 1024 * 1024;
/** Of all pages of one list together: ten pages of Defender's have 100,000. */
const maxListRows = 250_000;
const secondMs = 1_000;
/** Of one agent: reads that a call waits for are not to wait for those of others. */
const connections = 12;

/**
 * The connections of the readers of one Defender: each read has one of its own, and resumes the session of the one before. It lets go
 * of its pool when the last one is closed: of many tenants most read seldom.
 */
export function createReadingAgent({
  timeoutMs,
  connect,
  proxy,
}: Pick<DefenderReaderOptions, 'timeoutMs' | 'connect' | 'proxy'>): Agent {
  return new Agent({
    connections,
    pipelining: 1,
    connect: createBoundedConnector({ maxBodyBytes: maxPageBytes, timeoutMs, ca: connect?.ca, proxy }),
    maxResponseSize: maxPageBytes,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

/**
 * Reads what Defender knows, and changes nothing there, on the host that calls go to: hosts are replicas of each other and
 * lag. No read rejects. Rows come one by one: 200,000 of them are a list like any other.
 */
export function createDefenderReader(options: DefenderReaderOptions) {
  const base = parseBaseUrl(options.baseUrl);
  const agent = options.agent ?? createReadingAgent(options);
  const closing = new AbortController();
  const get = createGetPage({ agent, origin: base.origin, options, closing: closing.signal });
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
      { startedSinceMs, machineId, onWait }: { startedSinceMs: number; machineId?: OfMachines } & Patience,
    ): Promise<Reading<Rows<Investigation>>> {
      const sinceMs = Math.floor(startedSinceMs / secondMs) * secondMs;
      const since = `startTime ge ${new Date(sinceMs).toISOString().replace('.000Z', 'Z')}`;
      const filter = [...filterBy('machineId', machineId), since].join(' and ');
      const path = `${base.pathPrefix}/api/investigations?$filter=${encodeURIComponent(filter)}`;
      return readList({
        list: 'investigations',
        path,
        token,
        onWait,
        read: readInvestigation,
        keep: (one) => isSince(one.startTimeMs, sinceMs) && isOf(one, machineId),
        keepOdd: (one) => isSince(one.atMs, sinceMs) && isOf(one, machineId),
      });
    },
    /** Machine actions of this type, or of all, created since then. */
    async listMachineActions(
      token: string,
      query: { type?: string; createdSinceMs: number; machineId?: OfMachines } & Patience,
    ): Promise<Reading<Rows<MachineAction>>> {
      const { type, createdSinceMs, machineId, onWait } = query;
      const filter = [
        ...filterBy('machineId', machineId),
        ...(type === undefined ? [] : [`type eq ${quoted(type)}`]),
        `creationDateTimeUtc ge ${new Date(createdSinceMs).toISOString()}`,
      ].join(' and ');
      return readList({
        list: 'machine_actions',
        path: `${base.pathPrefix}/api/machineactions?$filter=${encodeURIComponent(filter)}`,
        token,
        onWait,
        read: readMachineAction,
        keep: (one) => isSince(one.createdAtMs, createdSinceMs) && isOf(one, machineId),
        keepOdd: (one) => isSince(one.atMs, createdSinceMs) && isOf(one, machineId),
      });
    },
    /** The machines of which this field has one of these values. Defender leaves out those that it has not seen for long. */
    async listMachines(
      token: string,
      { by, values }: { by: 'id' | 'computerDnsName' | 'aadDeviceId'; values: readonly string[] },
    ): Promise<Reading<Rows<Machine>>> {
      const [only, ...others] = values;
      const filter = filterBy(by, others.length === 0 ? only : values).join('');
      return readList({
        list: 'machines',
        path: `${base.pathPrefix}/api/machines?$filter=${encodeURIComponent(filter)}`,
        token,
        read: readMachine,
        keep: (one) => values.includes(one[by]?.toLowerCase() ?? ''),
        keepOdd: () => true,
      });
    },
    /** Only with the code `ResourceNotFound` Defender says that it does not know the machine. */
    async findMachine(token: string, id: string): Promise<Reading<Machine>> {
      const page = await get(base.pathPrefix + machinePath(id), token);
      if (page.kind !== 'read') return page;
      const row = readMachine(page.value.body);
      // Defender takes a name for an id as well.
      const isAsked = row.kind === 'record' && row.record.id === id.toLowerCase();
      return isAsked ? { kind: 'read', value: row.record } : unreadable('unexpected_answer');
    },
    /** The address that Defender gives at this path. */
    async findLink(token: string, path: string): Promise<Reading<string>> {
      const page = await get(base.pathPrefix + path, token);
      if (page.kind !== 'read') return page;
      const link = readText(page.value.body, 'value');
      return link === undefined ? unreadable('unexpected_answer') : { kind: 'read', value: link };
    },
    /** What Defender answers at this path, with its length in bytes. */
    async readPath(token: string, path: string): Promise<Reading<{ body: unknown; bytes: number }>> {
      const page = await get(base.pathPrefix + path, token);
      if (page.kind !== 'read') return page;
      const { body, bodyBytes: bytes = 0 } = page.value;
      return { kind: 'read', value: { body, bytes } };
    },
    async findMachineAction(token: string, id: string): Promise<Reading<MachineAction>> {
      const page = await get(`${base.pathPrefix}/api/machineactions/${encodeURIComponent(id)}`, token);
      if (page.kind !== 'read') return page;
      const row = readMachineAction(page.value.body);
      const isAsked = row.kind === 'record' && row.record.id === id;
      return isAsked ? { kind: 'read', value: row.record } : unreadable('unexpected_answer');
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
      if (!options.agent) await agent.destroy();
    },
  };
}

interface List<T> {
  readonly list: ListName;
  readonly path: string;
  readonly token: string;
  readonly onWait?: Patience['onWait'];
  readonly read: (row: unknown) => Row<T>;
  /** What was asked for; Defender may show more. */
  readonly keep: (record: T) => boolean;
  readonly keepOdd: (row: OddRow) => boolean;
}

/** A list that was not read to its end is not read at all: what is missing could be what is looked for. */
async function readPages<T>(
  get: GetPage,
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
    const { onWait } = list;
    const answer = await get(next, list.token, onWait && ((forMs) => onWait({ pages: page, forMs })));
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

/** A record without a time may be of any time. */
function isSince(atMs: number | undefined, sinceMs: number): boolean {
  return atMs === undefined || atMs >= sinceMs;
}

/** Some records name no machine; the question was for this one. */
function isOf(record: { machineId: string | undefined }, machines: OfMachines): boolean {
  if (record.machineId === undefined || machines === undefined) return true;
  const machineId = record.machineId.toLowerCase();
  return [machines].flat().some((one) => one.toLowerCase() === machineId);
}

/** Comparisons of a filter: none where nothing is given. */
function filterBy(field: string, wanted: OfMachines): string[] {
  if (wanted === undefined) return [];
  if (typeof wanted === 'string') return [`${field} eq ${quoted(wanted)}`];
  return [`${field} in (${wanted.map(quoted).join(', ')})`];
}

/** OData doubles a quote inside a literal. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
