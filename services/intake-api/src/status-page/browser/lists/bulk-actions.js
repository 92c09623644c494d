import { sendForAnswer } from '../actions/send-action.js';
import { html } from '../lit-html.js';
import { counted } from '../wording.js';
import { readPage } from './paged-list.js';
import { bodyOf, bulkActionFor, describeFilter, queryOf } from './request-filter.js';

/** @typedef {import('./request-filter.js').Filter} Filter */
/** @typedef {{ status: string, retriedBy?: string }} Row */
/** @typedef {{ base: string, operation: string }} Routes */

/** Ten thousand requests, the most that a batch has. */
const countPages = 20;
const countLimit = 500;
/** Each of these answers is up to some seconds of work of the service. */
const maxRounds = 200;

/**
 * The buttons that do the same with all requests that fit the filter of a list. How many they are is counted first.
 *
 * @param {object} deps
 * @param {() => void} deps.onChange
 * @param {(scope: string) => boolean} deps.may
 * @param {(operation: string) => boolean} deps.mayAskFor
 * @param {(question: import('../actions/confirmation.js').Question) => void} deps.ask
 * @param {() => Routes} deps.routes
 * @param {(done: string) => void} deps.onDone in words
 */
export function createBulkActions({ onChange, may, mayAskFor, ask, routes, onDone }) {
  let isCounting = false;
  let fault = '';
  let asked = 0;

  /**
   * @param {Filter} filter
   * @param {(count: Counted, routes: Routes) => import('../actions/confirmation.js').Question} questionFor
   */
  async function countAndAsk(filter, questionFor) {
    const [mine, at] = [(asked += 1), routes()];
    isCounting = true;
    fault = '';
    onChange();
    const count = await countAll(filter, at);
    // Something else is shown meanwhile.
    if (mine !== asked) return;
    isCounting = false;
    fault = count.fault;
    if (fault === '' && count.requests === 0) fault = 'There is none to do this with.';
    onChange();
    if (fault === '') ask(questionFor(count, at));
  }

  /** @param {Filter} filter */
  const retryAll = (filter) =>
    countAndAsk(filter, (count, { base, operation }) => {
      let done = '';
      return {
        title: 'Retry all of these?',
        says: retrySays(filter, count, may('admin')),
        confirm: `Retry ${counted(count.requests, 'request')}`,
        send: async ({ reason }) => {
          const url = `${base}/requests/retry${operation ? `?${operation}` : ''}`;
          const body = {
            ...bodyOf(filter),
            status: filter.status,
            ...(filter.status?.includes('expired') ? { notAfter: null } : {}),
            ...(reason ? { reason } : {}),
          };
          const { fault: refused, sums } = await repeatWhileSomeRemain(url, body);
          done = retriedText(sums);
          return refused;
        },
        onDone: () => onDone(done),
      };
    });

  /** @param {Filter} filter */
  const cancelAll = (filter) =>
    countAndAsk(filter, (count, { base, operation }) => {
      let done = '';
      return {
        title: 'Cancel all of these?',
        says: `${requestsText(count)} ${describeFilter(filter)} end without a call for them. Others that share their calls keep them. ${ownership(may('admin'))} This cannot be undone.`,
        confirm: `Cancel ${counted(count.requests, 'request')}`,
        send: async ({ reason }) => {
          const url = `${base}/requests/cancel${operation ? `?${operation}` : ''}`;
          const body = { ...bodyOf(filter), ...(reason ? { reason } : {}) };
          const { fault: refused, sums } = await repeatWhileSomeRemain(url, body);
          done = `Done: ${counted(sums['cancelled'] ?? 0, 'request')} cancelled.`;
          return refused;
        },
        onDone: () => onDone(done),
      };
    });

  return {
    clear() {
      asked += 1;
      isCounting = false;
      fault = '';
    },
    /**
     * @param {Filter} filter of the list that is shown
     * @param {string} operation of the requests in it
     */
    view(filter, operation) {
      const action = bulkActionFor(filter);
      if (action === undefined || !(action === 'retry' ? mayAskFor(operation) : may('submit'))) return '';
      return html`
        <p class="row actions">
          <button
            type="button"
            ?disabled=${isCounting}
            @click=${() => void (action === 'retry' ? retryAll(filter) : cancelAll(filter))}
          >
            ${action === 'retry' ? 'Retry all of these' : 'Cancel all of these'}
          </button>
          ${isCounting ? html`<span class="quiet" role="status">Counting…</span>` : ''}
        </p>
        ${fault ? html`<p class="fault" role="alert">${fault}</p>` : ''}
      `;
    },
  };
}

/** @typedef {{ fault: string, requests: number, isMore: boolean }} Counted `isMore` where counting came to its bound */

/**
 * What was retried already is not counted: it is left alone.
 *
 * @param {Filter} filter
 * @param {Routes} routes
 * @returns {Promise<Counted>}
 */
async function countAll(filter, { base, operation }) {
  let path = `${base}/requests?${[operation, queryOf(filter), `limit=${countLimit}`].filter(Boolean).join('&')}`;
  let requests = 0;
  for (let page = 0; path !== '' && page < countPages; page += 1) {
    const { fault, rows, nextPath } = await readPage(path);
    if (fault) return { fault, requests, isMore: false };
    requests += /** @type {Row[]} */ (rows).filter(({ retriedBy }) => retriedBy === undefined).length;
    path = nextPath;
  }
  return { fault: '', requests, isMore: path !== '' };
}

/**
 * @param {string} url
 * @param {Record<string, unknown>} body
 */
async function repeatWhileSomeRemain(url, body) {
  /** @type {Record<string, number>} */
  const sums = {};
  /** @type {string | undefined} */
  let cursor;
  for (let round = 0; round < maxRounds; round += 1) {
    const { fault, answer } = await sendForAnswer({
      method: 'POST',
      url,
      body: { ...body, ...(cursor === undefined ? {} : { cursor }) },
      timeoutMs: 60_000,
    });
    if (fault) return { fault, sums };
    for (const [name, value] of Object.entries(answer))
      if (typeof value === 'number') sums[name] = (sums[name] ?? 0) + value;
    if (answer.stoppedBy)
      return { fault: `Stopped after ${sums['retried']}: ${answer.stoppedBy}. Go on later.`, sums };
    if (!answer.remaining) return { fault: '', sums };
    cursor = answer.cursor;
  }
  return { fault: 'Not all are done yet: repeat it.', sums };
}

/**
 * @param {Filter} filter
 * @param {Counted} count
 * @param {boolean} isOperator
 */
function retrySays(filter, count, isOperator) {
  const { status = [] } = filter;
  return [
    `${requestsText(count)} ${describeFilter(filter)} that ended as ${status.join(' or ')}: a new request is made for each, which says the same. Requests for one machine share a call; each call uses a slot.`,
    status.includes('unknown')
      ? 'The calls of those that are unknown may have been made: look at the machines first.'
      : '',
    status.includes('expired') ? 'The new ones have no deadline.' : '',
    ownership(isOperator),
  ]
    .filter(Boolean)
    .join(' ');
}

/** @param {boolean} isOperator */
function ownership(isOperator) {
  return isOperator
    ? 'Also those of other callers.'
    : 'Only your own; those of other callers are left alone.';
}

/** @param {Counted} count */
function requestsText({ requests, isMore }) {
  return `${isMore ? 'More than ' : ''}${counted(requests, 'request')}`;
}

/** @param {Record<string, number>} sums */
function retriedText({
  retried = 0,
  coalesced = 0,
  alreadyRetried = 0,
  deadlinePassed = 0,
  tooManyJoined = 0,
}) {
  return [
    `Done: ${counted(retried, 'request')} retried`,
    coalesced > 0 && `${coalesced} of them share a call`,
    alreadyRetried > 0 && `${alreadyRetried} left: retried before`,
    deadlinePassed > 0 && `${deadlinePassed} left: their deadline has passed`,
    tooManyJoined > 0 && `${tooManyJoined} left: too many wait for their machine`,
  ]
    .filter(Boolean)
    .join('; ')
    .concat('.');
}
