import { fetchInTime } from '../fetch-in-time.js';
import { batchCard } from '../lists/batch-card.js';
import { html } from '../lit-html.js';

/** @typedef {import('../lists/batch-card.js').Batch} Batch */

const refreshMs = 5_000;

/**
 * One batch that is read again and again until it is completed, as long as it is in sight.
 *
 * @param {() => void} onChange
 */
export function createFollowedBatch(onChange) {
  let id = '';
  let isShown = true;
  /** @type {Batch | undefined} */
  let batch;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function refresh() {
    clearTimeout(timer);
    const mine = id;
    if (mine === '' || !isShown) return;
    const read = await readBatch(mine);
    if (mine !== id) return;
    batch = read ?? batch;
    onChange();
    if (batch?.status !== 'completed') timer = setTimeout(() => void refresh(), refreshMs);
  }

  return {
    /** @param {string} batchId */
    follow(batchId) {
      id = batchId;
      batch = undefined;
      void refresh();
    },
    /** @param {boolean} shown */
    watch(shown) {
      isShown = shown;
      clearTimeout(timer);
      if (shown) void refresh();
    },
    clear() {
      clearTimeout(timer);
      id = '';
      batch = undefined;
    },
    /** @param {(batch: Batch) => unknown} actionsOf */
    view: (actionsOf) =>
      batch ? batchCard(batch, actionsOf(batch)) : html`<p class="quiet">Batch <code>${id}</code></p>`,
  };
}

/**
 * @param {string} id
 * @returns {Promise<Batch | undefined>}
 */
async function readBatch(id) {
  try {
    const response = await fetchInTime(`v1/batches/${encodeURIComponent(id)}`);
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}
