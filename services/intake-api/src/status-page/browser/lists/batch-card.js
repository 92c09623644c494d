import { html, svg } from '../lit-html.js';
import { timeView } from '../times.js';
import { counted } from '../wording.js';

/**
 * A batch, from a list or by itself; only by itself it says when its last call is expected.
 *
 * @typedef {import('@diq/contracts/batch-document.ts').ListedBatch & { expectedCompletionAt?: string | null,
 *   startNotBefore?: string }} Batch
 */

/** How items end, in the order in which the bar shows them; what is left of it is open. */
const ends = /** @type {const} */ (['started', 'failed', 'unknown', 'expired', 'cancelled', 'rejected']);

/**
 * How far a batch is, as a bar and in words.
 *
 * @param {Batch} batch
 * @param {unknown} actions
 */
export function batchCard(batch, actions) {
  const nowMs = Date.now();
  const { counts, results } = batch;
  const open = counts.queued + counts.dispatching;
  const parts = /** @type {const} */ (['queued', 'dispatching', ...ends])
    .filter((name) => counts[name] > 0)
    .map((name) => `${counts[name].toLocaleString('en')} ${name === 'dispatching' ? 'being called' : name}`);
  const outcomes = Object.entries(results)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${count.toLocaleString('en')} ${outcome}`);
  return html`
    <p class="row">
      <span class="badge ${batch.status === 'running' ? 'dispatching' : ''}">${batch.status}</span>
      <span class="quiet">submitted ${timeView(batch.createdAt, nowMs)}${endOf(batch, nowMs)}</span>
      ${actions}
    </p>
    ${barOf(counts)}
    <p>
      ${(counts.total - open).toLocaleString('en')} of ${counted(counts.total, 'item')} ended:
      ${parts.join(', ')}
    </p>
    ${outcomes.length === 0 ? '' : html`<p class="quiet">Results: ${outcomes.join(', ')}</p>`}
    <p class="quiet">Batch <code>${batch.id}</code></p>
  `;
}

/**
 * @param {Batch} batch
 * @param {number} nowMs
 */
function endOf({ completedAt, expectedCompletionAt, startNotBefore, status }, nowMs) {
  if (completedAt) return html`, completed ${timeView(completedAt, nowMs)}`;
  if (status !== 'running') return '';
  if (expectedCompletionAt) return html`, last call about ${timeView(expectedCompletionAt, nowMs)}`;
  return startNotBefore ? html`, no call before ${timeView(startNotBefore, nowMs)}` : '';
}

/** @param {Batch['counts']} counts */
function barOf(counts) {
  const ended = ends.reduce((sum, name) => sum + counts[name], 0);
  let from = 0;
  return html`<svg
    class="progress"
    viewBox="0 0 100 4"
    preserveAspectRatio="none"
    role="img"
    aria-label="${ended} of ${counts.total} ended"
  >
    ${ends.map((name) => {
      const width = (counts[name] / Math.max(1, counts.total)) * 100;
      from += width;
      return width === 0
        ? ''
        : svg`<rect class=${name} x=${(from - width).toFixed(3)} y="0" width=${width.toFixed(3)} height="4" />`;
    })}
  </svg>`;
}
