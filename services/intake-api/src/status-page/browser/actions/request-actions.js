import { html } from '../lit-html.js';
import { machineOf } from '../machine-name.js';
import { sendAction } from './send-action.js';

/** @typedef {import('../one-request/look-up.js').Request} Request */
/** @typedef {import('./confirmation.js').Question} Question */
/** @typedef {Pick<Question, 'title' | 'says' | 'confirm' | 'priority'> & { name: string, scope: 'submit' | 'admin' | 'operation', statuses: string[], action: (url: string, given: import('./confirmation.js').Given) => import('./send-action.js').Action }} Offer */

/**
 * What can be done with one request. Whose it is its document does not say: where it is another's the service refuses.
 *
 * @param {Request} request
 * @returns {Offer[]}
 */
function offersFor(request) {
  const { priority } = request;
  const machine = machineOf(request);
  return [
    {
      name: 'Cancel',
      scope: 'submit',
      statuses: ['queued'],
      title: 'Cancel the request?',
      says: `The request for machine ${machine} ends without a call for it. Others that share its call keep it. This cannot be undone.`,
      confirm: 'Cancel the request',
      action: (url, { reason }) => ({
        method: 'DELETE',
        url: reason ? `${url}?reason=${encodeURIComponent(reason)}` : url,
      }),
    },
    {
      name: 'Change priority',
      scope: 'submit',
      statuses: ['queued'],
      title: 'Change the priority?',
      says: `The request for machine ${machine} is ${priority} now. It gets another place in the queue by the priority that you choose.`,
      confirm: 'Change the priority',
      priority,
      action: (url, given) => ({
        method: 'PATCH',
        url,
        body: { priority: given.priority, ...reasonOf(given) },
      }),
    },
    {
      name: 'Move to head',
      scope: 'admin',
      statuses: ['queued'],
      title: 'Move to the head of the queue?',
      says: `The call for machine ${machine} goes next, before all others that wait.`,
      confirm: 'Move to head',
      action: (url, given) => ({ method: 'POST', url: `${url}/move-to-head`, body: reasonOf(given) }),
    },
    {
      name: 'Retry',
      // That of what it does to the machine.
      scope: 'operation',
      statuses: ['failed', 'unknown'],
      title: 'Retry the request?',
      says: `A new request for machine ${machine} is made, which says the same and uses a slot of its own. Where the outcome is unknown the first call may have been made: look at the machine first.`,
      confirm: 'Retry the request',
      action: (url, given) => ({ method: 'POST', url: `${url}/retry`, body: reasonOf(given) }),
    },
  ];
}

/** @param {import('./confirmation.js').Given} given */
function reasonOf({ reason }) {
  return reason ? { reason } : {};
}

/**
 * The buttons for what its state and the scopes allow.
 *
 * @param {Request} request
 * @param {object} deps
 * @param {(scope: string) => boolean} deps.may
 * @param {(operation: string) => boolean} deps.mayAskFor
 * @param {(question: Question) => void} deps.ask
 * @param {(done: string) => void} deps.onDone in words
 */
export function requestActions(request, { may, mayAskFor, ask, onDone }) {
  const offers = offersFor(request).filter(
    ({ scope, statuses }) =>
      statuses.includes(request.status) &&
      (scope === 'operation' ? mayAskFor(request.operation ?? '') : may(scope)),
  );
  if (offers.length === 0) return '';
  const url = `v1/investigations/${encodeURIComponent(request.id)}`;
  return html`<p class="row actions">
    ${offers.map(
      ({ name, action, ...offer }) =>
        html`<button
          type="button"
          @click=${() =>
            ask({
              ...offer,
              send: (given) => sendAction(action(url, given)),
              onDone: () => onDone(`Done: ${name.toLowerCase()}.`),
            })}
        >
          ${name}
        </button>`,
    )}
  </p>`;
}
