import { sendForAnswer } from '../actions/send-action.js';
import { html } from '../lit-html.js';
import { counted } from '../wording.js';
import { composeBatch } from './compose-batch.js';
import { dryRunView, rejectedView } from './dry-run-view.js';
import { createFollowedBatch } from './followed-batch.js';
import { readOperations } from './operations.js';
import { fieldsView, readFile } from './submit-form.js';

/** @typedef {import('./compose-batch.js').Composed} Composed */
/** @typedef {import('./dry-run-view.js').DryRun} DryRun */

/** Ten thousand items take some seconds, and wait for their turn. */
const timeoutMs = 60_000;

/**
 * The form that asks for many machines: first what would become of them, then the batch, then how far it is.
 *
 * @param {object} deps
 * @param {() => void} deps.onChange
 * @param {() => { base: string, operation: string }} deps.routes
 * @param {() => string | undefined} deps.chosenOperation that of the queue that is shown
 * @param {(question: import('../actions/confirmation.js').Question) => void} deps.ask
 * @param {(batch: import('../lists/batch-card.js').Batch) => unknown} deps.batchActions
 */
export function createSubmit({ onChange, routes, chosenOperation, ask, batchActions }) {
  /** @type {Record<string, string>} */
  let values = {};
  /** @type {import('./operations.js').Operation[]} */
  let operations = [];
  /** @type {string[]} */
  let faults = [];
  let isAsking = false;
  /** @type {{ composed: Composed, answer: DryRun } | undefined} */
  let tried;
  /** @type {{ items: DryRun['items'], machines: Composed['machines'] } | undefined} */
  let submitted;
  let asked = 0;
  const followed = createFollowedBatch(onChange);

  /** By its name, that of the queue that is shown, or the first that may be asked for. */
  const operation = () => {
    const wanted = values['operation'] ?? chosenOperation();
    return operations.find(({ name }) => name === wanted) ?? operations.find(({ isAllowed }) => isAllowed);
  };

  /** What was tried is not what is there now. */
  function forgetTry() {
    asked += 1;
    isAsking = false;
    tried = undefined;
    faults = [];
  }

  /** @param {SubmitEvent} event */
  async function dryRun(event) {
    event.preventDefault();
    forgetTry();
    submitted = undefined;
    followed.clear();
    const { composed, faults: found } = composeBatch(values, operation());
    faults = found;
    if (composed) {
      const mine = asked;
      isAsking = true;
      onChange();
      const url = `${routes().base}/batches?dryRun=true`;
      const answered = await sendForAnswer({ method: 'POST', url, body: composed.body, timeoutMs });
      // The form was changed meanwhile.
      if (mine !== asked) return;
      isAsking = false;
      if (answered.fault === '') tried = { composed, answer: answered.answer };
      else faults = describeFaults(answered, composed);
    }
    onChange();
    document.getElementById(tried ? 'dry-run-title' : 'submit-faults')?.focus();
  }

  /** @param {{ composed: Composed, answer: DryRun }} dryRun */
  function confirmSubmit({ composed, answer: { counts } }) {
    const number = counts.accepted + counts.coalesced;
    const title = operation()?.title ?? 'What the queue does';
    ask({
      title: `Submit ${counted(number, 'request')}?`,
      says: `${title}: ${counted(counts.accepted, 'call')} to Defender, each uses a slot of the quota. ${counted(counts.coalesced, 'request')} ${counts.coalesced === 1 ? 'shares' : 'share'} a call; ${counted(counts.rejected, 'item')} ${counts.rejected === 1 ? 'is' : 'are'} left out.`,
      confirm: `Submit ${counted(number, 'request')}`,
      takesNoReason: true,
      send: async () => {
        const { fault, answer, isAnswered } = await sendForAnswer({
          method: 'POST',
          url: `${routes().base}/batches`,
          body: composed.body,
          // The same for each try of this batch: what was taken before is not taken twice.
          headers: { 'Idempotency-Key': composed.key },
          timeoutMs,
        });
        if (!isAnswered)
          return 'The service does not answer. Submit again: it knows this batch by its key, and takes it once.';
        if (fault) return fault;
        submitted = { items: answer.items, machines: composed.machines };
        followed.follow(answer.id);
        values = { ...values, machines: '' };
        tried = undefined;
        return '';
      },
      onDone: () => {
        onChange();
        document.getElementById('submitted-title')?.focus();
      },
    });
  }

  /** @param {File} file */
  async function takeFile(file) {
    const { text, fault } = await readFile(file);
    forgetTry();
    if (fault) faults = [fault];
    else values = { ...values, machines: text };
    onChange();
  }

  return {
    /** Whether the form is in sight. @param {boolean} isShown */
    async watch(isShown) {
      followed.watch(isShown);
      if (!isShown || operations.length > 0) return;
      const { base, operation: ofQueue } = routes();
      operations = await readOperations(base, ofQueue);
      onChange();
    },
    clear() {
      forgetTry();
      values = {};
      operations = [];
      submitted = undefined;
      followed.clear();
    },
    view: () => html`
      <form
        id="submit-form"
        class="fields"
        @submit=${dryRun}
        @input=${(/** @type {Event} */ event) => {
          const field = /** @type {HTMLInputElement} */ (event.target);
          if (!field.name) return;
          values = { ...values, [field.name]: field.value };
          forgetTry();
          onChange();
        }}
      >
        ${fieldsView(values, operations, operation(), (file) => void takeFile(file))}
        <p class="row">
          <button type="submit" class="main-action" ?disabled=${isAsking}>Dry run</button>
          <span class="quiet" role="status">${isAsking ? 'Asking…' : ''}</span>
        </p>
      </form>
      <div class="fault" id="submit-faults" role="alert" tabindex="-1">
        ${faults.map((fault) => html`<p>${fault}</p>`)}
      </div>
      ${tried ? triedView(tried) : ''} ${submitted ? submittedView(submitted) : ''}
    `,
  };

  /** @param {{ composed: Composed, answer: DryRun }} dryRun */
  function triedView(dryRun) {
    const { counts } = dryRun.answer;
    return html`
      <h3 id="dry-run-title" tabindex="-1">What would become of them</h3>
      ${dryRunView(dryRun.answer, dryRun.composed.machines)}
      <p class="row actions">
        <button type="button" class="main-action" @click=${() => confirmSubmit(dryRun)}>
          Submit ${counted(counts.accepted + counts.coalesced, 'request')}
        </button>
        <span class="quiet">Nothing was recorded yet.</span>
      </p>
    `;
  }

  /** @param {NonNullable<typeof submitted>} done */
  function submittedView({ items, machines }) {
    return html`
      <h3 id="submitted-title" tabindex="-1">Submitted</h3>
      <div id="submitted">${followed.view(batchActions)}</div>
      ${rejectedView(items, machines)}
    `;
  }
}

/**
 * Faults of items by the lines in which they stood.
 *
 * @param {Awaited<ReturnType<typeof sendForAnswer>>} answered
 * @param {Composed} composed
 */
function describeFaults({ fault, faults: ofFields }, { machines: { lines } }) {
  const named = ofFields.flatMap(({ path = '', message }) => {
    const line = lines[Number(/^requests\[(\d+)\]/.exec(path)?.[1] ?? -1)]?.line;
    return line === undefined ? [] : [`Line ${line}: ${path.replace(/^requests\[\d+\]\.?/, '')} ${message}`];
  });
  return named.length > 0 ? ['No machine can be accepted.', ...named] : [fault];
}
