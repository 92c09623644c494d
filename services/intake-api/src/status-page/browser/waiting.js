import { html } from './lit-html.js';
import { counted, duration } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
export function byPriority({ waiting }, nowMs) {
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Priority</th>
          <th scope="col" class="number">Calls</th>
          <th scope="col" class="number">Oldest wait</th>
        </tr>
      </thead>
      <tbody>
        ${waiting.byPriority.map(
          ({ priority, calls, oldestSince }) => html`
            <tr>
              <th scope="row">${priority}</th>
              <td class="number">${calls.toLocaleString('en')}</td>
              <td class="number">${waited(oldestSince, nowMs)}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
export function bySource({ waiting }, nowMs) {
  if (waiting.bySource.length === 0) return html`<p class="quiet">The queue is empty.</p>`;
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Source</th>
          <th scope="col" class="number">Requests</th>
          <th scope="col" class="number">Oldest wait</th>
        </tr>
      </thead>
      <tbody>
        ${waiting.bySource.map(
          ({ source, requests, oldestSince }) => html`
            <tr>
              <th scope="row" class="source">${source ?? 'no source'}</th>
              <td class="number">${requests.toLocaleString('en')}</td>
              <td class="number">${waited(oldestSince, nowMs)}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
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
