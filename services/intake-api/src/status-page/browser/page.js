import { addressOfList, readAddress } from './address.js';
import { createAllowedOperations } from './actions/allowed-operations.js';
import { createConfirmation } from './actions/confirmation.js';
import { pauseActions } from './actions/pause-actions.js';
import { firstStep } from './first-step.js';
import { fetchInTime } from './fetch-in-time.js';
import { createBatchList } from './lists/batch-list.js';
import { queryOf, readQuery } from './lists/request-filter.js';
import { createRequestList } from './lists/request-list.js';
import { html, render } from './lit-html.js';
import { createLookUp } from './one-request/look-up.js';
import { createQueues, routesOf } from './queues.js';
import { watchState } from './live-state.js';
import { createSignIn } from './sign-in.js';
import { holdNotice, staleNotice, workersNotice } from './notices.js';
import { section, stateView } from './state-view.js';
import { createSubmit } from './submit/submit.js';
import { headerView, navigation, viewTitle } from './views.js';
import { announcement } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */

const container = /** @type {HTMLElement} */ (document.getElementById('page'));

const signIn = createSignIn({
  onSignedIn: () => void start().then(() => focusOn('main')),
  onChange: show,
  isEntraOffered: () => page.entra,
});
const queues = createQueues({ onChange: show });
const confirmation = createConfirmation({ onChange: show });
const routes = () => routesOf(queues.chosen());
/** As the service has it: who may ask for some operation may also change and cancel what it asked for. */
const may = (/** @type {string} */ scope) =>
  page.scopes.includes(scope) || (scope === 'submit' && page.scopes.includes('respond'));
const allowed = createAllowedOperations({ onChange: show, routes, may });
const acting = {
  may,
  mayAskFor: allowed.mayAskFor,
  ask: confirmation.ask,
  routes,
  portal: () => last?.document.portal ?? null,
  firstStep: () => firstStep(may('submit'), queues.chosen()),
};
const lookUp = createLookUp({
  onChange: show,
  listBatch: (batchId) => listRequests({ batchId }),
  ...acting,
});
const requests = createRequestList({ onChange: show, lookUp: lookUp.open, ...acting });
const batches = createBatchList({
  onChange: show,
  openRequests: (batchId) => listRequests({ batchId }),
  ...acting,
});
const submit = createSubmit({
  onChange: show,
  chosenOperation: () => queues.chosen()?.operation,
  batchActions: batches.actionsOf,
  ...acting,
});

/** @type {{ screen: 'opening' | 'sign-in' | 'queues' | 'state', caller: string | null, scopes: string[], entra: boolean, trouble: string }} */
const page = { screen: 'opening', caller: null, scopes: [], entra: false, trouble: '' };
/** @type {{ document: StateDocument, clockAheadMs: number } | undefined} */
let last;
/**
 * Since when what is shown is no longer known to be true, and why in short.
 *
 * @type {{ sinceMs: number, what: string } | undefined}
 */
let stale;
/** @type {(() => void) | undefined} */
let stopWatching;
let shownQueue = '';

await start();
// What counts down is drawn again each second; everything else stays as it is.
setInterval(show, 1_000);
// A hidden tab holds no connection, of which a browser has few; it gets the state at once when it is shown again.
document.addEventListener('visibilitychange', () => {
  if (page.screen !== 'state' && page.screen !== 'queues') return;
  if (!document.hidden) showQueue();
  else if (page.screen === 'state') {
    stopWatching?.();
    watchViews(undefined);
  } else queues.watch(false);
});
addEventListener('hashchange', () => {
  if (page.screen !== 'state' && page.screen !== 'queues') return;
  if (page.screen === 'state' && shownQueue === nameOf(queues.chosen())) showView();
  else {
    forget();
    showQueue();
  }
  show();
  focusOn('main');
});

/** Asks who is signed in, and shows the form or the state. */
async function start() {
  try {
    const response = await fetchInTime('session');
    if (!response.ok) throw new Error(String(response.status));
    const session = await response.json();
    page.trouble = '';
    if (session.signInNeeded && page.caller !== null) signIn.noteEnd();
    page.caller = session.displayName ?? session.caller;
    page.entra = session.entra === true;
    page.scopes = session.scopes ?? [];
    if (session.signInNeeded) showSignIn();
    else {
      await queues.open();
      showQueue();
    }
  } catch {
    page.trouble = 'The service does not answer. Trying again.';
    setTimeout(() => void start(), 5_000);
  }
  show();
}

function showSignIn() {
  forget();
  queues.watch(false);
  page.screen = 'sign-in';
}

/** What was shown is another queue's, or not for whom it is now. */
function forget() {
  stopWatching?.();
  stopWatching = undefined;
  last = undefined;
  stale = undefined;
  page.trouble = '';
  allowed.clear();
  lookUp.clear();
  requests.clear();
  watchViews(undefined);
  batches.clear();
  submit.clear();
  confirmation.close();
}

/** The queue that is chosen, or the list to choose from. */
function showQueue() {
  const isChoosing = queues.areSeveral() && !queues.chosen();
  queues.watch(isChoosing);
  if (isChoosing) page.screen = 'queues';
  else showState();
}

function showState() {
  page.screen = 'state';
  shownQueue = nameOf(queues.chosen());
  showView();
  stopWatching?.();
  const { base, operation } = routesOf(queues.chosen());
  stopWatching = watchState({
    url: `${base}/events${operation ? `?${operation}` : ''}`,
    onState(document) {
      last = { document, clockAheadMs: Date.parse(document.now) - Date.now() };
      page.trouble = '';
      stale = undefined;
      show();
    },
    onTrouble(what, text, heardAtMs) {
      page.trouble = text;
      stale = { sinceMs: stale?.sinceMs ?? heardAtMs + (last?.clockAheadMs ?? 0), what };
      show();
    },
    onRefused: () => void start(),
  });
}

/** Reads what the view needs that the address asks for. */
function showView() {
  const { view, query } = readAddress();
  watchViews(view);
  if (view === 'requests') requests.open(readQuery(query));
}

/** @param {import('./address.js').View | undefined} shown `undefined` where nothing is in sight */
function watchViews(shown) {
  batches.watch(shown === 'batches');
  void submit.watch(shown === 'submit');
}

/** @param {import('./lists/request-filter.js').Filter} filter */
function listRequests(filter) {
  requests.list(filter);
  location.hash = addressOfList(queryOf(filter));
}

/** @param {import('./address.js').Queue | undefined} queue */
function nameOf(queue) {
  return queue ? `${queue.tenant} ${queue.operation}` : '';
}

async function signOut() {
  await fetchInTime('session', { method: 'DELETE' }).catch(() => {});
  page.caller = null;
  await start();
  focusOn('api-key');
}

/**
 * Where one screen takes another's place, what had the focus is gone.
 *
 * @param {string} id
 */
function focusOn(id) {
  document.getElementById(id)?.focus();
}

/** The service's clock: the browser's may be wrong. */
function serviceNowMs() {
  return Date.now() + (last?.clockAheadMs ?? 0);
}

function show() {
  const name = [nameOf(queues.chosen()), page.screen === 'state' ? viewTitle() : '', 'Investigation queue']
    .filter(Boolean)
    .join(' · ');
  document.title = last && stale ? `Not current: ${stale.what} · ${name}` : name;
  render(pageView(), container);
}

function pageView() {
  if (page.screen === 'sign-in') return signIn.view();
  // Nothing counts down while it is not known whether it is still true.
  const nowMs = stale?.sinceMs ?? serviceNowMs();
  return html`
    <a class="skip" href="#main" @click=${skip}>Skip to content</a>
    ${headerView({
      trouble: page.trouble,
      isLive: last !== undefined || page.screen === 'queues',
      caller: page.caller,
      onSignOut: () => void signOut(),
      onChange: show,
    })}
    ${page.screen === 'state' ? navigation(queues.chosen(), may('submit'), requests.query()) : ''}
    <p class="visually-hidden" aria-live="polite" id="announcement">
      ${last ? announcement(last.document, nowMs) : ''}
    </p>
    <main id="main" tabindex="-1">
      ${page.screen === 'queues' ? queues.view(nowMs) : ''} ${last && stale ? staleNotice(stale) : ''}
      <div class="state ${last && stale ? 'stale' : ''}">
        ${
          last
            ? html`${workersNotice(last.document, nowMs)} ${holdNotice(last.document, nowMs)}
              ${viewOf(last.document, nowMs)}`
            : ''
        }
      </div>
    </main>
    ${confirmation.view()}
  `;
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
function viewOf(state, nowMs) {
  switch (readAddress().view) {
    case 'requests':
      return html`<div class="beside-each-other">
        ${section('requests', 'Requests', requests.view())}
        ${section('look-up', 'Look up a request', lookUp.view())}
      </div>`;
    case 'batches':
      return section('batches', 'Batches', batches.view());
    case 'submit':
      return section(
        'submit',
        'Submit',
        may('submit') ? submit.view() : html`<p>Submitting needs the scope submit.</p>`,
      );
    default:
      return stateView(state, nowMs, lookUp, {
        isStale: stale !== undefined,
        pause: pauseActions(state, acting),
        list: listRequests,
        firstStep: acting.firstStep,
      });
  }
}

/**
 * The address says which queue and view are shown.
 *
 * @param {Event} event
 */
function skip(event) {
  event.preventDefault();
  focusOn('main');
}
