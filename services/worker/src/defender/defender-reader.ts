import { Pool } from 'undici';
import type { z } from 'zod';
import {
  alertList,
  investigation,
  investigationList,
  type Alert,
  type Investigation,
} from './defender-records.ts';
import { machineActionPath } from './operations/machine-action-path.ts';
import { parseBaseUrl, type BaseUrl } from './parse-base-url.ts';
import { readAnswer, type Answer } from './read-answer.ts';
import { parseRetryAfter } from './retry-after.ts';

export type { Alert, Investigation } from './defender-records.ts';

/** Why Defender's books could not be read. Never free text, never a secret. */
export type ReadFailure =
  | 'token-rejected'
  | 'not-allowed'
  | 'throttled'
  | 'server-error'
  | 'unexpected-answer'
  | 'too-many-pages'
  | 'foreign-link'
  | 'timeout'
  | 'connection'
  | 'closed';

export interface Unreadable {
  readonly kind: 'unreadable';
  readonly reason: ReadFailure;
  /** How long Defender asked to be left alone. */
  readonly retryAfterMs?: number;
}

/** What a read gave. Only `read` and `not-found` are statements of Defender's. */
export type Reading<T> =
  { readonly kind: 'read'; readonly value: T } | { readonly kind: 'not-found' } | Unreadable;

/** Reads what Defender knows, on the host that calls go to: hosts are replicas of each other and lag. */
export interface DefenderReader {
  /** Investigations started since then, compared by whole seconds as Defender does; also those without a start. */
  listInvestigations(
    token: string,
    query: { readonly startedSinceMs: number; readonly machineId?: string },
  ): Promise<Reading<Investigation[]>>;
  /** @param id an investigation's id, or the id of the alert that triggered it */
  findInvestigation(token: string, id: string): Promise<Reading<Investigation>>;
  listAlerts(
    token: string,
    query: { readonly machineId: string; readonly createdSinceMs: number },
  ): Promise<Reading<Alert[]>>;
  /** Gives up the reads under way; they and all later ones are `unreadable`, reason `closed`. */
  close(): Promise<void>;
}

export interface DefenderReaderOptions {
  /** https, or http on a loopback address; anything else throws RangeError. */
  readonly baseUrl: string;
  /** For one page: connecting, headers and body together. */
  readonly timeoutMs: number;
  /** PEM of the only authority to trust, instead of Node's own list. */
  readonly connect?: { readonly ca?: string };
  /** Local time in ms, for Retry-After dates in answers that carry no Date. */
  readonly now?: () => number;
}

/** Pages of one list that are followed; Defender puts up to 10,000 rows on one. */
const maxPages = 10;
/** Longest page taken in: an alert with its evidence has a few KiB. */
const maxPageBytes = 16 * 1024 * 1024;
const secondMs = 1_000;

/** Asks Defender, never tells it anything. No read rejects. */
export function createDefenderReader(options: DefenderReaderOptions): DefenderReader {
  const base = parseBaseUrl(options.baseUrl);
  const { ca } = options.connect ?? {};
  const pool = new Pool(base.origin, {
    connections: 4,
    pipelining: 1,
    connect: { timeout: options.timeoutMs, ...(ca !== undefined && { ca }) },
    maxResponseSize: maxPageBytes,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const closing = new AbortController();
  const get: Get = (path, token) => getPage({ pool, options, closing: closing.signal }, path, token);

  return {
    async listInvestigations(token, { startedSinceMs, machineId }) {
      const sinceMs = Math.floor(startedSinceMs / secondMs) * secondMs;
      const since = `startTime ge ${new Date(sinceMs).toISOString().replace('.000Z', 'Z')}`;
      const filter = machineId === undefined ? since : `machineId eq ${quoted(machineId)} and ${since}`;
      const path = `/api/investigations?$filter=${encodeURIComponent(filter)}`;
      const list = await readPages(get, base, {
        path: base.pathPrefix + path,
        token,
        schema: investigationList,
      });
      return filtered(list, (one) => isSince(one, sinceMs) && isOf(one, machineId));
    },
    async findInvestigation(token, id) {
      const page = await get(`${base.pathPrefix}/api/investigations/${encodeURIComponent(id)}`, token);
      return page.kind === 'read' ? parsed(investigation, page.value.body) : page;
    },
    async listAlerts(token, { machineId, createdSinceMs }) {
      const path = base.pathPrefix + machineActionPath(machineId, 'alerts');
      const list = await readPages(get, base, { path, token, schema: alertList });
      return filtered(list, (one) => one.createdAtMs >= createdSinceMs && isOf(one, machineId));
    },
    async close() {
      closing.abort();
      await pool.destroy();
    },
  };
}

type Get = (path: string, token: string) => Promise<Reading<Answer>>;

interface List<T> {
  readonly path: string;
  readonly token: string;
  readonly schema: z.ZodType<{ value: T[]; nextLink: string | undefined }>;
}

/** A list that was not read to its end is not read at all: what is missing could be what is looked for. */
async function readPages<T>(
  get: Get,
  base: BaseUrl,
  { path, token, schema }: List<T>,
): Promise<Reading<T[]>> {
  const rows: T[] = [];
  let next = path;
  for (let page = 0; page < maxPages; page += 1) {
    const answer = await get(next, token);
    if (answer.kind !== 'read') return answer;
    const content = parsed(schema, answer.value.body);
    if (content.kind !== 'read') return content;
    rows.push(...content.value.value);
    const { nextLink } = content.value;
    if (nextLink === undefined) return { kind: 'read', value: rows };
    // The token goes along: to nobody but the host it was meant for.
    const url = URL.canParse(nextLink, base.origin) ? new URL(nextLink, base.origin) : undefined;
    if (url?.origin !== base.origin) return unreadable('foreign-link');
    next = url.pathname + url.search;
  }
  return unreadable('too-many-pages');
}

interface Access {
  readonly pool: Pool;
  readonly options: DefenderReaderOptions;
  readonly closing: AbortSignal;
}

async function getPage(
  { pool, options, closing }: Access,
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
    const answer = await readAnswer(response, token, maxPageBytes);
    if (answer.body === undefined && timeout.aborted) return unreadable('timeout');
    return verdictOn(answer, (options.now ?? Date.now)());
  } catch {
    if (closing.aborted) return unreadable('closed');
    return unreadable(timeout.aborted ? 'timeout' : 'connection');
  }
}

function verdictOn(answer: Answer, nowMs: number): Reading<Answer> {
  const { status, headers } = answer;
  const retryAfterMs = parseRetryAfter(headers['retry-after'], { responseDate: headers['date'], nowMs });
  const later = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 200) return { kind: 'read', value: answer };
  if (status === 404) return { kind: 'not-found' };
  if (status === 401) return unreadable('token-rejected');
  if (status === 403 || status === 407) return unreadable('not-allowed');
  if (status === 429) return { ...unreadable('throttled'), ...later };
  if (status >= 500 || status === 408) return { ...unreadable('server-error'), ...later };
  return unreadable('unexpected-answer');
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): Reading<T> {
  const { data, success } = schema.safeParse(body);
  return success ? { kind: 'read', value: data } : unreadable('unexpected-answer');
}

function unreadable(reason: ReadFailure): Unreadable {
  return { kind: 'unreadable', reason };
}

function filtered<T>(list: Reading<T[]>, keep: (row: T) => boolean): Reading<T[]> {
  return list.kind === 'read' ? { kind: 'read', value: list.value.filter(keep) } : list;
}

function isSince({ startTimeMs }: Investigation, sinceMs: number): boolean {
  return startTimeMs === undefined || startTimeMs >= sinceMs;
}

/** Some records name no machine; the question was for this one. */
function isOf(record: { machineId: string | undefined }, machineId: string | undefined): boolean {
  return record.machineId === undefined || machineId === undefined || record.machineId === machineId;
}

/** OData doubles a quote inside a literal. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
