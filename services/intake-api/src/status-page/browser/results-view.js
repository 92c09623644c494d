import { html } from './lit-html.js';
import { tableView } from './table-view.js';
import { counted } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */

/** @type {Record<keyof StateDocument['results']['byOutcome'], string>} */
const meanings = {
  running: 'Defender still works on it',
  succeeded: 'done',
  failed: 'not done: see the request',
  cancelled: 'ended at Defender by a person',
  unknown: 'its end was not seen: look at the machine in Defender',
};

/**
 * What came of the calls, of all requests that are kept.
 *
 * @param {StateDocument} state
 * @param {(filter: import('./lists/request-filter.js').Filter) => void} list opens the list of those
 */
export function resultsView({ results: { open, byOutcome } }, list) {
  const outcomes = /** @type {(keyof typeof meanings)[]} */ (Object.keys(meanings));
  if (outcomes.every((outcome) => byOutcome[outcome] === 0))
    return html`<p class="quiet">
      No result has an outcome yet. The first call that starts something has one.
    </p>`;
  return html`
    ${tableView(
      [{ title: 'Outcome' }, { title: 'Requests', isNumber: true }, { title: 'Which ones', isNumber: true }],
      outcomes.map((outcome) => [
        html`${outcome} <span class="quiet">${meanings[outcome]}</span>`,
        byOutcome[outcome].toLocaleString('en'),
        byOutcome[outcome] === 0
          ? ''
          : html`<button
              type="button"
              class="small"
              aria-label="List results that are ${outcome}"
              @click=${() => list({ outcome })}
            >
              List
            </button>`,
      ]),
    )}
    <p class="quiet">${counted(open, 'result')} still open, read until the end</p>
  `;
}
