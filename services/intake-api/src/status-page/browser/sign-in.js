import { fetchInTime } from './fetch-in-time.js';
import { html } from './lit-html.js';
import { takeSignInError } from './sign-in-errors.js';

/** `?kiosk` in the address: a screen on a wall, before which people pass. */
const isKiosk = new URLSearchParams(location.search).has('kiosk');

/**
 * The form that turns an API key into a session, and the way to Entra ID. The key is sent once and kept nowhere.
 *
 * @param {{ onSignedIn: () => void, onChange: () => void, isEntraOffered: () => boolean }} deps
 */
export function createSignIn({ onSignedIn, onChange, isEntraOffered }) {
  let fault = '';
  let entraFault = takeSignInError();
  let hasEnded = false;
  let isSending = false;

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    if (isSending) return;
    const form = /** @type {HTMLFormElement} */ (event.target);
    const input = /** @type {HTMLInputElement} */ (form.elements.namedItem('apiKey'));
    isSending = true;
    fault = '';
    entraFault = '';
    onChange();
    fault = await send(input.value.trim());
    isSending = false;
    if (fault === '') {
      hasEnded = false;
      input.value = '';
      onSignedIn();
      return;
    }
    onChange();
    input.focus();
    input.select();
  }

  return {
    /** The one before did not end by signing out. */
    noteEnd() {
      hasEnded = true;
    },
    view: () => html`
      <main class="alone" id="main">
        <h1>Investigation queue</h1>
        <p role="status">${hasEnded ? 'Your session has ended. Sign in again.' : ''}</p>
        ${
          isEntraOffered() && !isKiosk
            ? html`<div class="entra">
                <p class="fault" role="alert">${entraFault}</p>
                <a class="main-action" href="session/entra">Sign in with Entra ID</a>
                <p class="quiet">With your name and your roles, for 8 hours. Or with a key:</p>
              </div>`
            : ''
        }
        <form method="post" action="session" @submit=${submit}>
          <label for="api-key">API key</label>
          <input
            id="api-key"
            name="apiKey"
            type="password"
            required
            autocomplete="current-password"
            aria-describedby="api-key-hint sign-in-fault"
            aria-invalid=${fault ? 'true' : 'false'}
          />
          <p class="quiet" id="api-key-hint">
            A key with the scope read.
            ${isKiosk ? 'This screen stays signed in for 30 days, and only looks.' : 'You stay signed in for 8 hours.'}
          </p>
          <p class="fault" id="sign-in-fault" role="alert">${fault}</p>
          <button type="submit" class="main-action" ?disabled=${isSending}>Sign in</button>
        </form>
      </main>
    `,
  };
}

/**
 * @param {string} apiKey
 * @returns {Promise<string>} why it did not work; '' when it did
 */
async function send(apiKey) {
  try {
    const response = await fetchInTime('session', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(isKiosk ? { apiKey, kiosk: true } : { apiKey }),
    });
    if (response.ok) return '';
    if (response.status === 401) return 'This key is not valid.';
    if (response.status === 403) return 'This key lacks the scope read.';
    if (response.status === 429) return 'Too many attempts. Wait a minute.';
    return 'Signing in is not possible now. Try again soon.';
  } catch {
    return 'The service does not answer. Try again soon.';
  }
}
