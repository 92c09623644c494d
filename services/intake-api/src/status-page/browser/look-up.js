import { fetchInTime } from './fetch-in-time.js';
import { requestActions } from './actions/request-actions.js';
import { html } from './lit-html.js';
import { counted, timeView, unknownAdvice } from './wording.js';

/** @typedef {import('@diq/contracts/request-document.ts').RequestDocument & { position?: number, startNotBefore?: string, expectedStartAt?: string }} Request */
/** @typedef {{ kind: 'none' } | { kind: 'asking' } | { kind: 'fault', text: string } | { kind: 'found', requests: Request[], isCut: boolean }} Result */

const machinePattern = /^(?:[0-9a-f]{32}|[0-9a-f]{40})$/;
const requestPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const maxShown = 10;

/**
 * Finds requests by their own id or by that of their machine.
 *
 * @param {object} deps
 * @param {() => void} deps.onChange
 * @param {() => { base: string, operation: string }} deps.routes of the queue that is shown
 * @param {(scope: string) => boolean} deps.may
 * @param {(question: import('./actions/confirmation.js').Question) => void} deps.ask
 */
export function createLookUp({ onChange, routes, may, ask: confirm }) {
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
    const answer = await ask(id, routes());
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
    requestActions(request, { may, ask: confirm, onDone: (text) => void refreshAfter(text) });

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

  return {
    /** @param {string} id */
    open(id) {
      const input = /** @type {HTMLInputElement | null} */ (document.getElementById('look-up-id'));
      if (input) {
        input.value = id;
        input.focus();
      }
      void lookUp(id);
    },
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
        ${done ? html`<p>${done}</p>` : ''} ${resultView(result, actionsOf)}
      </div>
    `,
  };
}

/**
 * @param {string} id
 * @param {{ base: string, operation: string }} routes
 * @returns {Promise<Result>}
 */
async function ask(id, { base, operation }) {
  const isMachine = machinePattern.test(id);
  if (!isMachine && !requestPattern.test(id)) {
    return {
      kind: 'fault',
      text: 'This is neither a request id nor a machine id (32 or 40 hexadecimal characters).',
    };
  }
  try {
    const response = await fetchInTime(
      isMachine
        ? `${base}/investigations?${operation ? `${operation}&` : ''}machineId=${id}&limit=${maxShown}`
        : `v1/investigations/${id}`,
    );
    if (response.status === 404)
      return { kind: 'fault', text: 'No request has this id, or it was deleted after its retention time.' };
    if (!response.ok) return { kind: 'fault', text: 'The request cannot be read now. Try again soon.' };
    const answer = await response.json();
    if (!isMachine) return { kind: 'found', requests: [answer], isCut: false };
    if (answer.value.length === 0) return { kind: 'fault', text: 'There is no request for this machine.' };
    return {
      kind: 'found',
      requests: await Promise.all(answer.value.map(withPlace)),
      isCut: answer.nextLink !== undefined,
    };
  } catch {
    return { kind: 'fault', text: 'The service does not answer. Try again soon.' };
  }
}

/**
 * A list tells neither the place of a queued request nor when it is to start; the request itself does.
 *
 * @param {Request} request
 * @returns {Promise<Request>}
 */
async function withPlace(request) {
  if (request.status !== 'queued') return request;
  const response = await fetchInTime(`v1/investigations/${request.id}`);
  return response.ok ? response.json() : request;
}

/**
 * @param {Result} result
 * @param {(request: Request) => unknown} actionsOf
 */
function resultView(result, actionsOf) {
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
          ${result.requests.map((request) => requestView(request, actionsOf))}
        </ul>
      `;
  }
}

/**
 * @param {Request} request
 * @param {(request: Request) => unknown} actionsOf
 */
function requestView(request, actionsOf) {
  /** @type {[string, unknown][]} */
  const facts = [
    ['Request', html`<code>${request.id}</code>`],
    ['Machine', html`<code>${request.machineId}</code>`],
    ['Priority', request.priority],
    ['Source', request.source],
    ['Asked', timeOf(request.createdAt)],
    ['Place in the queue', request.position],
    ['Why there', request.placement?.why.join(' ')],
    ['Expected start', timeOf(request.expectedStartAt)],
    ['Not before', timeOf(request.startNotBefore)],
    ['Called', timeOf(request.dispatchedAt)],
    ['Ended', timeOf(request.endedAt)],
    ['Shares the call of', request.coalescedWith],
    ['Retry of', request.retryOf],
    ['Asked again as', request.retriedBy],
    resultFact(request.result),
    ['Error', request.error?.message],
    ['What to do', request.status === 'unknown' ? unknownAdvice : undefined],
    ['Comment', request.comment],
  ];
  return html`
    <li>
      <p>${statusView(request)}</p>
      <dl>
        ${facts.map(([name, value]) =>
          value === undefined || value === null || value === ''
            ? ''
            : html`<div>
                <dt>${name}</dt>
                <dd>${value}</dd>
              </div>`,
        )}
      </dl>
      ${actionsOf(request)}
    </li>
  `;
}

/**
 * @param {Request['result']} result
 * @returns {[string, string | undefined]}
 */
function resultFact(result) {
  const name = result?.kind === 'machineAction' ? 'Machine action' : 'Investigation';
  return [name, result?.attached ? `${result.id}, perhaps started by another call` : result?.id];
}

/**
 * An error beside an open request is the reason for which its answer is looked up in Defender.
 *
 * @param {Request} request
 */
function statusView({ status, error }) {
  return status === 'dispatching' && error
    ? html`<span class="badge unknown">being looked up</span>`
    : html`<span class="badge ${status}">${status === 'dispatching' ? 'being called' : status}</span>`;
}

/** @param {string | undefined} iso */
function timeOf(iso) {
  return iso === undefined ? undefined : timeView(iso, Date.now());
}
