import { addressOf, readAddress } from './address.js';
import { html } from './lit-html.js';
import { zoneButton } from './times.js';

/** @type {readonly [import('./address.js').View, string][]} */
const views = [
  ['overview', 'Overview'],
  ['requests', 'Requests'],
  ['batches', 'Batches'],
  ['submit', 'Submit'],
];

/**
 * Where one goes from here: to the other queues, and to the views of this one.
 *
 * @param {import('./address.js').Queue | undefined} queue
 * @param {boolean} maySubmit
 * @param {string} listed what requests are listed by
 */
export function navigation(queue, maySubmit, listed) {
  const { view } = readAddress();
  return html`
    ${
      queue
        ? html`<nav aria-label="Queues"><a href="#">All queues</a> ${queue.tenant} ${queue.operation}</nav>`
        : ''
    }
    <nav aria-label="Views" class="views">
      ${views
        .filter(([name]) => name !== 'submit' || maySubmit)
        .map(
          ([name, title]) =>
            html`<a
              href=${addressOf(queue, name, name === 'requests' ? listed : '')}
              aria-current=${name === view ? 'page' : 'false'}
              >${title}</a
            >`,
        )}
    </nav>
  `;
}

/** What is shown where that is not the overview, for the title. */
export function viewTitle() {
  const { view } = readAddress();
  return view === 'overview' ? '' : views.find(([name]) => name === view)?.[1];
}

/**
 * @param {object} shown
 * @param {string} shown.trouble '' while all is well
 * @param {boolean} shown.isLive
 * @param {string | null} shown.caller
 * @param {() => void} shown.onSignOut
 * @param {() => void} shown.onChange
 */
export function headerView({ trouble, isLive, caller, onSignOut, onChange }) {
  return html`
    <header>
      <h1>Investigation queue</h1>
      <p class="connection" role="status">
        ${
          trouble
            ? html`<span class="dot bad"></span>${trouble}`
            : html`<span class="dot"></span>${isLive ? 'Live' : 'Opening'}`
        }
      </p>
      <p class="caller">
        ${zoneButton(onChange)}
        ${
          caller === null
            ? ''
            : html`<span>${caller}</span> <button type="button" @click=${onSignOut}>Sign out</button>`
        }
      </p>
    </header>
  `;
}
