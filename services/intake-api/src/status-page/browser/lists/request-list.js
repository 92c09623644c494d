import { addressOfList } from '../address.js';
import { html } from '../lit-html.js';
import { machineOf, pairsText } from '../machine-name.js';
import { portalLink } from '../portal-link.js';
import { statusBadge } from '../status-badge.js';
import { wideTableView } from '../table-view.js';
import { fieldZone, momentToTheSecond, timeInField, timeView } from '../times.js';
import { counted, unknownAdvice } from '../wording.js';
import { createBulkActions } from './bulk-actions.js';
import { createPagedList, isEmpty, showMore } from './paged-list.js';
import { fillFilter, outcomes, priorities, queryOf, readFilter, statuses } from './request-filter.js';

/** @typedef {import('./request-filter.js').Filter} Filter */
/** @typedef {import('@diq/contracts/request-document.ts').RequestDocument} Request */
/** @typedef {{ name: Exclude<keyof Filter, 'status' | 'from' | 'to'>, label: string, values?: string[], hint?: string }} Field */

const pageSize = 50;

const form = () => /** @type {HTMLFormElement | null} */ (document.getElementById('find-requests'));

/** @type {Field[]} */
const fields = [
  { name: 'priority', label: 'Priority', values: priorities },
  { name: 'outcome', label: 'Outcome', values: outcomes },
  { name: 'key', label: 'Correlation, name', hint: 'incident' },
  { name: 'value', label: 'Correlation, value', hint: 'INC-4711' },
  { name: 'machineId', label: 'Machine id' },
  { name: 'source', label: 'Source' },
  { name: 'batchId', label: 'Batch id' },
];

/**
 * The requests of the queue that is shown, by what they have in common.
 *
 * @param {object} deps
 * @param {() => void} deps.onChange
 * @param {() => { base: string, operation: string }} deps.routes
 * @param {(scope: string) => boolean} deps.may
 * @param {(operation: string) => boolean} deps.mayAskFor
 * @param {(question: import('../actions/confirmation.js').Question) => void} deps.ask
 * @param {(id: string) => void} deps.lookUp
 * @param {() => import('../portal-link.js').Portal} deps.portal
 * @param {() => unknown} deps.firstStep what to do where there is none yet
 */
export function createRequestList({ onChange, routes, may, mayAskFor, ask, lookUp, portal, firstStep }) {
  /** @type {Filter} */
  let filter = {};
  let done = '';
  const list = createPagedList(onChange);
  const bulk = createBulkActions({
    onChange,
    may,
    mayAskFor,
    ask,
    routes,
    onDone: (text) => {
      void find(filter);
      done = text;
      onChange();
    },
  });

  /** @param {Filter} next */
  function find(next) {
    filter = next;
    done = '';
    bulk.clear();
    const { base, operation } = routes();
    return list.read(
      `${base}/requests?${[operation, queryOf(filter), `limit=${pageSize}`].filter(Boolean).join('&')}`,
    );
  }

  /** Lists these, and has the form say so. @param {Filter} wanted */
  function show(wanted) {
    const shown = form();
    if (shown) {
      fillFilter(shown, wanted);
      requirePair(shown);
    }
    void find(wanted);
  }

  return {
    list: show,
    /** Lists these, unless they are listed already. @param {Filter} wanted */
    open(wanted) {
      const isShown = list.readAtMs() > 0 || list.isReading();
      if (!isShown || queryOf(wanted) !== queryOf(filter)) show(wanted);
    },
    clear() {
      filter = {};
      done = '';
      list.clear();
      bulk.clear();
    },
    /** What is listed, for the address. */
    query: () => queryOf(filter),
    view() {
      const rows = /** @type {Request[]} */ (list.rows());
      return html`
        <form
          id="find-requests"
          class="fields"
          role="search"
          aria-label="Requests"
          @input=${(/** @type {Event} */ event) => requirePair(/** @type {HTMLFormElement} */ (event.currentTarget))}
          @submit=${(/** @type {SubmitEvent} */ event) => {
            event.preventDefault();
            void find(readFilter(/** @type {HTMLFormElement} */ (event.target)));
            history.pushState(null, '', addressOfList(queryOf(filter)));
          }}
        >
          ${statusView(filter)} ${fields.map((field) => fieldView(field, filter))} ${timesView(filter)}
          <p class="row">
            ${queryOf(filter) === '' ? '' : html`<a href=${addressOfList('')}>Clear</a>`}
            <button type="submit" class="main-action">Find</button>
          </p>
        </form>
        <div id="requests-found">
          ${filter.status?.includes('unknown') ? html`<p class="hint">${unknownAdvice}</p>` : ''}
          ${rows.length === 0 ? '' : bulk.view(filter, rows[0]?.operation ?? '')}
          <div role="status">
            ${done ? html`<p>${done}</p>` : ''}
            <p class="quiet">${summary(list)}</p>
          </div>
          ${list.fault() ? html`<p class="fault" role="alert">${list.fault()}</p>` : ''}
          ${isEmpty(list) && Object.keys(filter).length === 0 ? firstStep() : ''}
          ${tableOf(rows, lookUp, portal())} ${showMore(list)}
        </div>
      `;
    },
  };
}

/**
 * A correlation is a name and a value: one alone would be left out, and everything be listed.
 *
 * @param {HTMLFormElement} shown
 */
function requirePair(shown) {
  const [key, value] = ['key', 'value'].map((name) => shown.elements.namedItem(name));
  if (!(key instanceof HTMLInputElement && value instanceof HTMLInputElement)) return;
  key.required = value.value !== '';
  value.required = key.value !== '';
}

/** @param {Filter} filter */
function statusView({ status = [] }) {
  return html`<fieldset class="whole choices">
    <legend>Status</legend>
    ${statuses.map(
      (one) =>
        html`<label
          ><input type="checkbox" name="status" value=${one} ?checked=${status.includes(one)} /> ${one}</label
        >`,
    )}
  </fieldset>`;
}

/** @param {Filter} filter */
function timesView({ from, to }) {
  /** @type {[string, string, string | undefined][]} */
  const ends = [
    ['from', 'Submitted from', from],
    ['to', 'Submitted before', to],
  ];
  return ends.map(
    ([name, label, iso]) =>
      html`<div>
        <label for="find-${name}">${label} (${fieldZone()})</label>
        <input id="find-${name}" name=${name} type="datetime-local" .value=${timeInField(iso)} />
      </div>`,
  );
}

/**
 * @param {Field} field
 * @param {Filter} filter
 */
function fieldView({ name, label, values, hint = '' }, filter) {
  const id = `find-${name}`;
  const value = filter[name] ?? '';
  return html`<div>
    <label for=${id}>${label}</label>
    ${
      values
        ? html`<select id=${id} name=${name}>
            <option value="">any</option>
            ${values.map((one) => html`<option value=${one} ?selected=${one === value}>${one}</option>`)}
          </select>`
        : html`<input
            id=${id}
            name=${name}
            value=${value}
            placeholder=${hint}
            maxlength="256"
            autocomplete="off"
            spellcheck="false"
            autocapitalize="none"
          />`
    }
  </div>`;
}

/** @param {ReturnType<typeof createPagedList>} list */
function summary(list) {
  if (list.isReading() && list.rows().length === 0) return 'Reading…';
  if (list.readAtMs() === 0) return '';
  const asOf = `as of ${momentToTheSecond(list.readAtMs())}`;
  if (list.rows().length > 0)
    return `${list.hasMore() ? 'The newest ' : ''}${counted(list.rows().length, 'request')}, ${asOf}`;
  // A page looks at a bounded number of requests.
  return list.hasMore()
    ? `None among the newest, ${asOf}. Show more looks further.`
    : `No request fits, ${asOf}.`;
}

/**
 * @param {Request[]} requests
 * @param {(id: string) => void} lookUp
 * @param {import('../portal-link.js').Portal} portal
 */
function tableOf(requests, lookUp, portal) {
  if (requests.length === 0) return '';
  const nowMs = Date.now();
  return wideTableView(
    'Requests, one in each row',
    [
      { title: 'Machine' },
      { title: 'Status' },
      { title: 'Request' },
      { title: 'Submitted' },
      { title: 'Ended' },
      { title: 'Priority' },
      { title: 'Source' },
      { title: 'Correlation' },
      { title: 'Error' },
    ],
    requests.map((request) => [
      html`<code class="machine">${machineOf(request)}</code>`,
      statusBadge(request),
      html`<button
          type="button"
          class="small"
          aria-label="Look up request ${request.id}"
          @click=${() => lookUp(request.id)}
        >
          Look up
        </button>
        ${portalLink(portal, request)}`,
      timeView(request.createdAt, nowMs),
      request.endedAt === undefined ? '' : timeView(request.endedAt, nowMs),
      request.priority,
      html`<span class="any-text">${request.source ?? ''}</span>`,
      html`<span class="any-text">${pairsText(request.correlation)}</span>`,
      request.error?.code ?? '',
    ]),
  );
}
