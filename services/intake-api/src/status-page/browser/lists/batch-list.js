import { sendForAnswer } from '../actions/send-action.js';
import { html } from '../lit-html.js';
import { momentToTheSecond } from '../times.js';
import { counted } from '../wording.js';
import { batchCard } from './batch-card.js';
import { createPagedList, isEmpty, showMore } from './paged-list.js';

/** @typedef {import('./batch-card.js').Batch} Batch */

const pageSize = 20;
/** As many as one answer can have. */
const mostRefreshed = 500;
const refreshMs = 10_000;
const maxRounds = 200;

/**
 * The batches of the queue that is shown, with how far they are.
 *
 * @param {object} deps
 * @param {() => void} deps.onChange
 * @param {() => { base: string, operation: string }} deps.routes
 * @param {(scope: string) => boolean} deps.may
 * @param {(question: import('../actions/confirmation.js').Question) => void} deps.ask
 * @param {(batchId: string) => void} deps.openRequests
 * @param {() => unknown} deps.firstStep what to do where there is none yet
 */
export function createBatchList({ onChange, routes, may, ask, openRequests, firstStep }) {
  let status = '';
  let done = '';
  const list = createPagedList(onChange);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;

  /** @param {number} limit */
  function read(limit) {
    const { base, operation } = routes();
    const query = new URLSearchParams({ ...(status ? { status } : {}), limit: String(limit) });
    return list.read(`${base}/batches?${[operation, query].filter(String).join('&')}`);
  }

  /** Reads again as many as are shown, where that is one answer. */
  function refresh() {
    const shown = Math.max(pageSize, list.rows().length);
    if (!list.isReading() && shown <= mostRefreshed) void read(shown);
  }

  /** @param {Batch} batch */
  function cancel({ id, counts }) {
    let text = '';
    ask({
      title: 'Cancel the batch?',
      says: `${counted(counts.queued, 'queued request')} of the batch end without a call for them. Calls under way come to their ends, and others that share a call keep it. This cannot be undone.`,
      confirm: 'Cancel the batch',
      send: async ({ reason }) => {
        const query = reason ? `?reason=${encodeURIComponent(reason)}` : '';
        let cancelled = 0;
        for (let round = 0; round < maxRounds; round += 1) {
          const url = `v1/batches/${encodeURIComponent(id)}${query}`;
          const { fault, answer } = await sendForAnswer({ method: 'DELETE', url, timeoutMs: 60_000 });
          if (fault) return fault;
          cancelled += answer.cancelled;
          text = `Done: ${counted(cancelled, 'request')} cancelled.`;
          if (!answer.remaining) return '';
        }
        return 'Not all are cancelled yet: repeat it.';
      },
      onDone: () => {
        done = text;
        refresh();
      },
    });
  }

  /** @param {Batch} batch */
  const actionsOf = (batch) => html`
    <button type="button" aria-label="Requests of batch ${batch.id}" @click=${() => openRequests(batch.id)}>
      Requests
    </button>
    ${
      batch.counts.queued > 0 && may('submit')
        ? html`<button type="button" aria-label="Cancel batch ${batch.id}" @click=${() => cancel(batch)}>
            Cancel
          </button>`
        : ''
    }
  `;

  return {
    /** Whether the list is in sight: only then it is read again and again. @param {boolean} isShown */
    watch(isShown) {
      if (isShown && timer === undefined) {
        refresh();
        timer = setInterval(refresh, refreshMs);
      } else if (!isShown) {
        clearInterval(timer);
        timer = undefined;
      }
    },
    clear() {
      done = '';
      list.clear();
    },
    actionsOf,
    view: () => html`
      <p class="row">
        <label class="beside" for="batch-status">Show</label>
        <select
          id="batch-status"
          @change=${(/** @type {Event} */ event) => {
            status = /** @type {HTMLSelectElement} */ (event.target).value;
            list.clear();
            void read(pageSize);
          }}
        >
          ${[
            ['', 'all batches'],
            ['running', 'those that run'],
            ['completed', 'those that are completed'],
          ].map(
            ([value, label]) => html`<option value=${value} ?selected=${value === status}>${label}</option>`,
          )}
        </select>
      </p>
      <div role="status">${done ? html`<p>${done}</p>` : ''}</div>
      <p class="quiet">${summary(list)}</p>
      ${isEmpty(list) && status === '' ? firstStep() : ''}
      ${list.fault() ? html`<p class="fault" role="alert">${list.fault()}</p>` : ''}
      <ul class="cards" id="batches-found">
        ${/** @type {Batch[]} */ (list.rows()).map((batch) => html`<li>${batchCard(batch, actionsOf(batch))}</li>`)}
      </ul>
      ${showMore(list)}
    `,
  };
}

/** @param {ReturnType<typeof createPagedList>} list */
function summary(list) {
  if (list.readAtMs() === 0) return list.isReading() ? 'Reading…' : '';
  if (list.rows().length === 0 && list.hasMore()) return 'None among the newest. Show more looks further.';
  return list.rows().length === 0
    ? 'There is no batch.'
    : `The newest first, as of ${momentToTheSecond(list.readAtMs())}`;
}
