import { html } from '../lit-html.js';
import { machineOf, pairsText } from '../machine-name.js';
import { portalLink } from '../portal-link.js';
import { statusBadge } from '../status-badge.js';
import { timeView } from '../times.js';
import { counted, unknownAdvice } from '../wording.js';
import { historyView } from './history.js';

/** @typedef {import('./read-requests.js').Request} Request */
/**
 * @typedef {object} Shown
 * @property {(request: Request) => unknown} actionsOf
 * @property {(id: string) => void} open looks another request up
 * @property {(batchId: string) => void} listBatch
 * @property {import('../portal-link.js').Portal} portal
 */

/** Of those that share a call so many are named. */
const maxNamed = 10;

/**
 * @param {Request} request
 * @param {Shown} shown
 */
export function requestView(request, { actionsOf, open, listBatch, portal }) {
  /** @param {string | undefined} id */
  const link = (id) =>
    id && html`<button type="button" class="link" @click=${() => open(id)}><code>${id}</code></button>`;
  const { batchId, machineId, machineName, aadDeviceId, parameters } = request;
  /** @type {[string, unknown][]} */
  const facts = [
    ['Request', html`<code>${request.id}</code>`],
    [
      'Machine',
      // An id leads to requests of other tenants, too, whose portal is not this one.
      html`<code>${machineOf(request)}</code> ${request.isOfQueue ? portalLink(portal, request) : ''}`,
    ],
    ['Submitted as', machineId === undefined ? undefined : (machineName ?? aadDeviceId)],
    ['Operation', request.operation],
    ['Parameters', parameters && html`<code>${JSON.stringify(parameters)}</code>`],
    ['Priority', request.priority],
    ['Source', request.source],
    ['Correlation', pairsText(request.correlation)],
    [
      'Batch',
      batchId &&
        html`<button type="button" class="link" @click=${() => listBatch(batchId)}>
          <code>${batchId}</code>
        </button>`,
    ],
    ['Place in the queue', request.position],
    ['Waits', request.blockedBy?.message],
    ['Waits behind', request.blockedBy?.behind?.operation],
    ['Called at the latest', timeOf(request.blockedBy?.calledAnywayAt)],
    ['Why there', request.placement?.why.join(' ')],
    ['Expected start', timeOf(request.expectedStartAt)],
    ['Not before', timeOf(request.startNotBefore)],
    ['Not after', timeOf(request.notAfter)],
    [
      request.status === 'cancelled' ? 'Shared its call with' : 'Shares its call with',
      sharingView(request, link),
    ],
    ['Retry of', link(request.retryOf)],
    ['Retried as', link(request.retriedBy)],
    resultFact(request.result),
    ['Result', request.result?.state && `${request.result.state}: ${request.result.outcome}`],
    ['Why unknown', request.result?.reason],
    ['Error', request.error?.message],
    ['What to do', request.status === 'unknown' ? unknownAdvice : undefined],
    ['Warning', request.warnings?.map(({ message }) => message).join(' ')],
    ['Comment', request.comment],
    ['History', historyView(request)],
  ];
  return html`
    <li>
      <p>${statusBadge(request)}</p>
      <dl>
        ${facts.map(([name, value]) =>
          value === undefined || value === null || value === ''
            ? ''
            : html`<div>
                <dt>${name}</dt>
                <dd>${value}</dd>
              </div>`,
        )}
      </dl>
      ${actionsOf(request)}
    </li>
  `;
}

/**
 * @param {Request} request
 * @param {(id: string) => unknown} link
 */
function sharingView({ sharing, coalescedWith, placement }, link) {
  // The first one may be deleted, or of another machine's record.
  const isNamed = coalescedWith === undefined || sharing.some(({ id }) => id === coalescedWith);
  const ids = [...(isNamed ? [] : [coalescedWith]), ...sharing.map(({ id }) => id)];
  const others = Math.max(ids.length, (placement?.requests ?? 1) - 1);
  if (others === 0) return undefined;
  // A request that was cancelled lets go of the call that it shared.
  const facts = new Map(
    sharing.map(({ id, source = '', status }) => [
      id,
      status === 'cancelled' ? `${source} (cancelled)`.trim() : source,
    ]),
  );
  return html`${counted(others, 'other request')}
    <ul class="bare">
      ${ids.slice(0, maxNamed).map((id) => html`<li>${link(id)} ${facts.get(id) ?? ''}</li>`)}
    </ul>`;
}

/**
 * @param {Request['result']} result
 * @returns {[string, string | undefined]}
 */
function resultFact(result) {
  const name = result?.kind === 'machineAction' ? 'Machine action' : 'Investigation';
  return [name, result?.attached ? `${result.id}, perhaps started by another call` : result?.id];
}

/** @param {string | undefined} iso */
function timeOf(iso) {
  return iso === undefined ? undefined : timeView(iso, Date.now());
}
