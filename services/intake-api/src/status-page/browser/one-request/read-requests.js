import { fetchInTime } from '../fetch-in-time.js';
import { readPage } from '../lists/paged-list.js';

/**
 * A request, with those that share its call, whether the queue that is shown has it, and what people did with it as far as the newest entries of the audit say.
 *
 * @typedef {import('@diq/contracts/request-document.ts').RequestDocument} RequestDocument
 * @typedef {{ at: string, action: string, by: string, displayName?: string, reason?: string, requestId?: string, retriedBy?: string }} AuditEntry
 * @typedef {RequestDocument & { sharing: RequestDocument[], audit: AuditEntry[], isOfQueue: boolean }} Request
 * @typedef {{ kind: 'found', requests: Request[], isCut: boolean }} Found
 */

const machinePattern = /^(?:[0-9a-f]{32}|[0-9a-f]{40})$/;
const requestPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const maxShown = 10;
/** Of one machine, among which those are found that share a call. */
const maxRead = 100;
const maxAudit = 500;

/**
 * @param {string} id of a request or a machine
 * @param {{ base: string, operation: string }} routes
 * @param {boolean} mayAudit
 * @returns {Promise<Found | { kind: 'fault', text: string }>}
 */
export async function readRequests(id, routes, mayAudit) {
  const isMachine = machinePattern.test(id);
  if (!isMachine && !requestPattern.test(id)) {
    return {
      kind: 'fault',
      text: 'This is neither a request id nor a machine id (32 or 40 hexadecimal characters).',
    };
  }
  try {
    return await (isMachine ? ofMachine(id, routes, mayAudit) : oneRequest(id, routes, mayAudit));
  } catch {
    return { kind: 'fault', text: 'The service does not answer. Try again soon.' };
  }
}

/**
 * @param {string} id
 * @param {{ base: string, operation: string }} routes
 * @param {boolean} mayAudit
 * @returns {Promise<Found | { kind: 'fault', text: string }>}
 */
async function oneRequest(id, routes, mayAudit) {
  const response = await fetchInTime(`v1/investigations/${id}`);
  if (response.status === 404)
    return { kind: 'fault', text: 'No request has this id, or it was deleted after its retention time.' };
  if (!response.ok) return { kind: 'fault', text: 'The request cannot be read now. Try again soon.' };
  /** @type {RequestDocument} */
  const request = await response.json();
  const [{ rows }, audit] = await Promise.all([
    request.machineId ? readMachine(request.machineId, routes) : noRows,
    mayAudit ? readAudit(routes) : [],
  ]);
  return { kind: 'found', requests: [describe(request, rows, audit)], isCut: false };
}

/**
 * @param {string} machineId
 * @param {{ base: string, operation: string }} routes
 * @param {boolean} mayAudit
 * @returns {Promise<Found | { kind: 'fault', text: string }>}
 */
async function ofMachine(machineId, routes, mayAudit) {
  const [{ fault, rows, nextPath }, audit] = await Promise.all([
    readMachine(machineId, routes),
    mayAudit ? readAudit(routes) : [],
  ]);
  if (fault) return { kind: 'fault', text: 'The request cannot be read now. Try again soon.' };
  if (rows.length === 0) return { kind: 'fault', text: 'There is no request for this machine.' };
  const shown = await Promise.all(rows.slice(0, maxShown).map(withPlace));
  return {
    kind: 'found',
    requests: shown.map((request) => describe(request, rows, audit)),
    isCut: nextPath !== '' || rows.length > maxShown,
  };
}

/** @type {{ fault: string, rows: RequestDocument[], nextPath: string }} */
const noRows = { fault: '', rows: [], nextPath: '' };

/**
 * @param {string} machineId
 * @param {{ base: string, operation: string }} routes
 */
async function readMachine(machineId, { base, operation }) {
  const page = await readPage(
    `${base}/requests?${operation ? `${operation}&` : ''}machineId=${machineId}&limit=${maxRead}`,
  );
  return { ...page, rows: /** @type {RequestDocument[]} */ (page.rows) };
}

/** @param {{ base: string, operation: string }} routes */
async function readAudit({ base, operation }) {
  const { rows } = await readPage(`${base}/audit?${operation ? `${operation}&` : ''}limit=${maxAudit}`);
  return /** @type {AuditEntry[]} */ (rows);
}

/**
 * A list has neither the place of a queued request nor when it is to start; the request itself does.
 *
 * @param {RequestDocument} request
 * @returns {Promise<RequestDocument>}
 */
async function withPlace(request) {
  if (request.status !== 'queued') return request;
  const response = await fetchInTime(`v1/investigations/${request.id}`);
  return response.ok ? response.json() : request;
}

/**
 * @param {RequestDocument} request
 * @param {RequestDocument[]} ofMachine
 * @param {AuditEntry[]} audit
 * @returns {Request}
 */
function describe(request, ofMachine, audit) {
  const first = request.coalescedWith ?? request.id;
  return {
    ...request,
    sharing: ofMachine.filter(
      ({ id, coalescedWith }) => id !== request.id && (id === first || coalescedWith === first),
    ),
    isOfQueue: ofMachine.some(({ id }) => id === request.id),
    audit: audit.filter(({ requestId }) => requestId === request.id),
  };
}
