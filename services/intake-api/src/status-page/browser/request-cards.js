import { html } from './lit-html.js';
import { portalLink } from './portal-link.js';
import { moment, timeView } from './times.js';
import { duration, unknownAdvice } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */
/** @typedef {ReturnType<typeof import('./one-request/look-up.js').createLookUp>} LookUp */

const badEnds = ['unknown', 'failed', 'expired'];

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 * @param {LookUp} lookUp
 * @param {() => unknown} firstStep
 */
export function nextView({ next }, nowMs, lookUp, firstStep) {
  if (next.length === 0)
    return html`<p class="quiet">The queue is empty.</p>
      ${firstStep()}`;
  return html`<ol class="cards">
    ${next.map(
      ({ machineId, requestId, expectedStartAt, startNotBefore, blockedBy, placement }) =>
        html`<li>
          <p class="row">
            <span class="badge">${placement.priority}</span>
            <span class="quiet">${startOf({ expectedStartAt, startNotBefore }, nowMs)}</span>
            <button
              type="button"
              aria-label="Look up request ${requestId}"
              @click=${() => lookUp.open(requestId)}
            >
              Look up
            </button>
          </p>
          <p><code>${machineId}</code></p>
          ${blockedBy === undefined ? '' : html`<p>${blockedBy.message}</p>`}
          <p class="quiet">${placement.why.join(' ')}</p>
        </li>`,
    )}
  </ol>`;
}

/**
 * @param {{ expectedStartAt: string | undefined, startNotBefore: string | undefined }} call
 * @param {number} nowMs
 */
function startOf({ expectedStartAt, startNotBefore }, nowMs) {
  if (expectedStartAt !== undefined) return html`about ${timeView(expectedStartAt, nowMs)}`;
  return startNotBefore === undefined
    ? 'start not known'
    : html`not before ${timeView(startNotBefore, nowMs)}`;
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 * @param {LookUp} lookUp
 * @param {(filter: import('./lists/request-filter.js').Filter) => void} list opens the list of those requests
 */
export function failuresView({ failures, portal }, nowMs, lookUp, list) {
  if (failures.length === 0)
    return html`<p class="quiet">None: no request that is kept ended as failed, unknown or expired.</p>`;
  return html`<ul class="cards">
      ${failures.map(
        (failure) =>
          html`<li>
            <p class="row">
              <span class="badge ${failure.status}">${failure.status}</span>
              <time class="quiet" datetime=${failure.endedAt ?? failure.createdAt}>
                ${
                  failure.endedAt === null
                    ? `submitted ${moment(failure.createdAt, nowMs)}`
                    : `${duration(nowMs - Date.parse(failure.endedAt))} ago`
                }
              </time>
              <button
                type="button"
                aria-label="Look up request ${failure.id}"
                @click=${() => lookUp.open(failure.id)}
              >
                Look up
              </button>
            </p>
            <p>${failure.error?.message ?? ''}</p>
            ${failure.status === 'unknown' ? html`<p>${unknownAdvice}</p>` : ''}
            <p class="quiet">
              <code>${failure.machineId}</code>
              ${portalLink(portal, failure)}${failure.source === null ? '' : ` · ${failure.source}`}
            </p>
          </li>`,
      )}
    </ul>
    <p class="row actions">
      ${badEnds.map(
        (status) =>
          html`<button type="button" class="small" @click=${() => list({ status: [status] })}>
            List all ${status}
          </button>`,
      )}
    </p>`;
}
