import { textOf } from '../form-text.js';
import { html } from '../lit-html.js';

/** @typedef {{ reason: string, priority: string }} Given what was given in the dialog */
/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} says what will be done, in a sentence or two
 * @property {string} confirm what the button says
 * @property {boolean} [needsReason] whether it is not done without one
 * @property {boolean} [takesNoReason] whether none is asked for
 * @property {string} [priority] the present one, where another is to be chosen
 * @property {(given: Given) => Promise<string>} send resolves to why it was not done; '' when it was
 * @property {() => void} onDone
 */

const id = 'confirmation';
const priorities = ['critical', 'high', 'medium', 'low'];

const dialog = () => /** @type {HTMLDialogElement | null} */ (document.getElementById(id));

/**
 * The one dialog of the page: says what an action will do, and does it when that is confirmed.
 *
 * @param {{ onChange: () => void }} deps
 */
export function createConfirmation({ onChange }) {
  /** @type {Question | undefined} */
  let question;
  let fault = '';
  let isSending = false;

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    if (isSending || !question) return;
    const asked = question;
    const data = new FormData(/** @type {HTMLFormElement} */ (event.target));
    isSending = true;
    fault = '';
    onChange();
    fault = await asked.send({
      reason: textOf(data, 'reason'),
      priority: textOf(data, 'priority'),
    });
    isSending = false;
    if (fault === '') {
      dialog()?.close();
      asked.onDone();
    }
    onChange();
  }

  return {
    /** @param {Question} next */
    ask(next) {
      question = next;
      fault = '';
      onChange();
      dialog()?.querySelector('form')?.reset();
      dialog()?.showModal();
    },
    close() {
      dialog()?.close();
    },
    view: () => html`
      <dialog
        id=${id}
        aria-labelledby="confirmation-title"
        aria-describedby="confirmation-says"
        @cancel=${(/** @type {Event} */ event) => {
          // What is on its way is done or not, whatever is closed.
          if (isSending) event.preventDefault();
        }}
      >
        <form @submit=${submit}>
          <h2 id="confirmation-title">${question?.title}</h2>
          <p id="confirmation-says">${question?.says}</p>
          ${question?.priority === undefined ? '' : priorityView(question.priority)}
          ${question?.takesNoReason ? '' : reasonView(question?.needsReason ?? false)}
          <p class="fault" role="alert">${fault}</p>
          <p class="row">
            <button type="button" ?disabled=${isSending} @click=${() => dialog()?.close()}>Leave it</button>
            <button type="submit" class="main-action" ?disabled=${isSending}>${question?.confirm}</button>
          </p>
        </form>
      </dialog>
    `,
  };
}

/** @param {boolean} isNeeded */
function reasonView(isNeeded) {
  return html`
    <label for="confirmation-reason">Reason${isNeeded ? '' : ' (may be left out)'}</label>
    <input id="confirmation-reason" name="reason" maxlength="200" autocomplete="off" ?required=${isNeeded} />
  `;
}

/** @param {string} present */
function priorityView(present) {
  return html`
    <label for="confirmation-priority">Priority</label>
    <select id="confirmation-priority" name="priority">
      ${priorities
        .filter((name) => name !== present)
        .map((name) => html`<option value=${name}>${name}</option>`)}
    </select>
  `;
}
