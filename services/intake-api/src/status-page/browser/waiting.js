import { html } from './lit-html.js';
import { tableView } from './table-view.js';
import { counted, duration } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
export function byPriority({ waiting }, nowMs) {
  return tableView(
    [{ title: 'Priority' }, { title: 'Calls', isNumber: true }, { title: 'Oldest wait', isNumber: true }],
    waiting.byPriority.map(({ priority, calls, oldestSince }) => [
      priority,
      calls.toLocaleString('en'),
      waited(oldestSince, nowMs),
    ]),
  );
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
export function bySource({ waiting }, nowMs) {
  if (waiting.bySource.length === 0) return html`<p class="quiet">The queue is empty.</p>`;
  return html`
    ${tableView(
      [{ title: 'Source' }, { title: 'Requests', isNumber: true }, { title: 'Oldest wait', isNumber: true }],
      waiting.bySource.map(({ source, requests, oldestSince }) => [
        html`<span class="any-text">${source ?? 'no source'}</span>`,
        requests.toLocaleString('en'),
        waited(oldestSince, nowMs),
      ]),
    )}
    ${
      waiting.otherSources > 0
        ? html`<p class="quiet">
            and ${counted(waiting.otherSources, 'request')} of
            ${counted(waiting.otherSourceCount, 'other source')}
          </p>`
        : ''
    }
  `;
}

/**
 * @param {string | null} since
 * @param {number} nowMs
 */
function waited(since, nowMs) {
  return since === null ? '–' : duration(nowMs - Date.parse(since));
}
