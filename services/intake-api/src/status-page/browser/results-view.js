import { html } from './lit-html.js';
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
 */
export function resultsView({ results: { open, byOutcome } }) {
  const outcomes = /** @type {(keyof typeof meanings)[]} */ (Object.keys(meanings));
  if (outcomes.every((outcome) => byOutcome[outcome] === 0))
    return html`<p class="quiet">No result has an outcome yet.</p>`;
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Outcome</th>
          <th scope="col" class="number">Requests</th>
        </tr>
      </thead>
      <tbody>
        ${outcomes.map(
          (outcome) => html`
            <tr>
              <th scope="row">${outcome} <span class="quiet">${meanings[outcome]}</span></th>
              <td class="number">${byOutcome[outcome].toLocaleString('en')}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
    <p class="quiet">${counted(open, 'result')} followed to the end</p>
  `;
}
