import { requestActions } from '../actions/request-actions.js';
import { html } from '../lit-html.js';
import { counted } from '../wording.js';
import { maxShown, readRequests } from './read-requests.js';
import { requestView } from './request-view.js';

/** @typedef {import('./read-requests.js').Request} Request */
/** @typedef {import('./read-requests.js').Found} Found */
/** @typedef {{ kind: 'none' } | { kind: 'asking' } | { kind: 'fault', text: string } | Found} Result */

/**
 * Finds requests by their own id or by that of their machine.
 *
 * @param {object} deps
 * @param {() => void} deps.onChange
 * @param {() => { base: string, operation: string }} deps.routes of the queue that is shown
 * @param {(scope: string) => boolean} deps.may
 * @param {(operation: string) => boolean} deps.mayAskFor
 * @param {(question: import('../actions/confirmation.js').Question) => void} deps.ask
 * @param {() => import('../portal-link.js').Portal} deps.portal of the tenant that is shown
 * @param {(batchId: string) => void} deps.listBatch opens the list of its requests
 */
export function createLookUp({ onChange, routes, may, mayAskFor, ask: confirm, portal, listBatch }) {
  /** @type {Result} */
  let result = { kind: 'none' };
  let asked = 0;
  let lastId = '';
  let done = '';

  /** @param {string} text */
  async function lookUp(text) {
    const id = text.trim().toLowerCase();
    lastId = id;
    done = '';
    asked += 1;
    const mine = asked;
    show({ kind: 'asking' });
    const answer = await readRequests(id, routes(), may('admin'));
    // Another one was asked for meanwhile.
    if (mine === asked) show(answer);
  }

  /**
   * What was shown is out of date, and its buttons with it.
   *
   * @param {string} text
   */
  async function refreshAfter(text) {
    const id = lastId;
    await lookUp(id);
    if (id !== lastId) return;
    done = text;
    onChange();
    // The button that was used may be gone.
    if (document.activeElement === document.body) document.getElementById('look-up-id')?.focus();
  }

  /** @param {Request} request */
  const actionsOf = (request) =>
    requestActions(request, { may, mayAskFor, ask: confirm, onDone: (text) => void refreshAfter(text) });

  /** @param {Result} next */
  function show(next) {
    result = next;
    onChange();
  }

  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    void lookUp(/** @type {HTMLInputElement} */ (form.elements.namedItem('id')).value);
  }

  /** @param {string} id */
  function open(id) {
    const input = /** @type {HTMLInputElement | null} */ (document.getElementById('look-up-id'));
    if (input) {
      input.value = id;
      input.focus();
    }
    void lookUp(id);
  }

  return {
    open,
    clear() {
      result = { kind: 'none' };
      done = '';
    },
    view: () => html`
      <form class="look-up" role="search" @submit=${submit}>
        <label for="look-up-id">Request id or machine id</label>
        <div class="row">
          <input
            id="look-up-id"
            name="id"
            required
            autocomplete="off"
            spellcheck="false"
            autocapitalize="none"
          />
          <button type="submit">Look up</button>
        </div>
      </form>
      <div aria-live="polite" id="look-up-result">
        ${done ? html`<p>${done}</p>` : ''}
        ${resultView(result, { actionsOf, open, listBatch, portal: portal() })}
      </div>
    `,
  };
}

/**
 * @param {Result} result
 * @param {import('./request-view.js').Shown} shown
 */
function resultView(result, shown) {
  switch (result.kind) {
    case 'none':
      return '';
    case 'asking':
      return html`<p class="quiet">Looking…</p>`;
    case 'fault':
      return html`<p class="fault">${result.text}</p>`;
    default:
      return html`
        <p class="quiet">
          ${result.isCut ? `The newest ${maxShown} requests.` : `${counted(result.requests.length, 'request')} found.`}
        </p>
        <ul class="cards">
          ${result.requests.map((request) => requestView(request, shown))}
        </ul>
      `;
  }
}
