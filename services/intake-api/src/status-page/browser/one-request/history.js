import { html } from '../lit-html.js';
import { timeView } from '../times.js';

/** @typedef {import('./read-requests.js').Request} Request */
/** @typedef {import('./read-requests.js').AuditEntry} AuditEntry */

/** @type {Record<string, string>} */
const actions = {
  cancel: 'Cancelled',
  change: 'Changed',
  move_to_head: 'Moved to the head',
  retry: 'Retried',
};

/**
 * What happened to a request, in the order of time.
 *
 * @param {Request} request
 */
export function historyView(request) {
  const { createdAt, dispatchedAt, endedAt, status, result, audit, callback, endCallback } = request;
  /** @type {[string | undefined, unknown][]} */
  const events = [
    [createdAt, 'Submitted'],
    ...audit.map((entry) => /** @type {[string, unknown]} */ ([entry.at, auditText(entry)])),
    [dispatchedAt, 'Called'],
    [endedAt, status === 'started' ? 'Started' : `Ended as ${status}`],
    [callback?.deliveredAt, 'Callback delivered'],
    [result?.startedAt, 'Began in Defender'],
    [result?.endedAt, `Ended in Defender: ${result?.outcome ?? ''}`],
    [result?.outcome === 'running' ? result.checkedAt : undefined, `Read from Defender: ${result?.state}`],
    [endCallback?.deliveredAt, 'Callback about the end delivered'],
  ];
  const nowMs = Date.now();
  const known = events
    .flatMap(([at, what]) => (at === undefined ? [] : [{ at, what }]))
    .toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at));
  return html`<ol class="history">
    ${known.map(({ at, what }) => html`<li>${timeView(at, nowMs)} ${what}</li>`)}
  </ol>`;
}

/** @param {AuditEntry} entry */
function auditText({ action, by, displayName, reason }) {
  // A name is not one person's alone; the caller is.
  const who = displayName === undefined ? by : html`${displayName} <code class="quiet">${by}</code>`;
  return html`${actions[action] ?? action} by ${who}${reason ? html`: “${reason}”` : ''}`;
}
