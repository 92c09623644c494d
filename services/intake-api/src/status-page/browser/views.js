import { addressOf, readAddress } from './address.js';
import { html } from './lit-html.js';

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
 */
export function navigation(queue, maySubmit) {
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
            html`<a href=${addressOf(queue, name)} aria-current=${name === view ? 'page' : 'false'}
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
