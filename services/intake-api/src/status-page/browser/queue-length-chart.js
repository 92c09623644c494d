import { html, svg } from './lit-html.js';
import { wideTableView } from './table-view.js';
import { moment, timeView } from './times.js';
import { counted } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */
/** @typedef {StateDocument['history'][number]} Length */

const width = 288;
const height = 100;

/**
 * How many requests were queued over the last day, as a line, and by the hour as a table for those who read rather than look.
 *
 * @param {StateDocument} state
 * @param {number} nowMs
 * @param {boolean} isStale whether `nowMs` is the time up to which the state is known, and not the present
 */
export function queueLengthChart({ history }, nowMs, isStale) {
  const longest = history.reduce((most, { queued }) => Math.max(most, queued), 0);
  const first = history[0];
  if (longest === 0 || !first)
    return html`<p class="quiet">The queue was empty at each full five minutes of the last 24 hours.</p>`;
  const top = roundedUp(longest);
  const half = history[Math.floor(history.length / 2)];
  const now = (history.at(-1)?.queued ?? 0).toLocaleString('en');
  return html`
    <div class="plot">
      <p class="levels quiet" aria-hidden="true">
        ${[top, top / 2, 0].map((level) => html`<span>${level.toLocaleString('en')}</span>`)}
      </p>
      <svg
        class="chart"
        viewBox="0 0 ${width} ${height}"
        preserveAspectRatio="none"
        role="img"
        aria-label="At most ${counted(longest, 'request')} queued in the last 24 hours, ${now} now"
      >
        <line class="ground" x1="0" x2=${width} y1=${height} y2=${height} />
        ${[0, height / 2].map((y) => svg`<line class="level" x1="0" x2=${width} y1=${y} y2=${y} />`)}
        <line class="level" x1=${width / 2} x2=${width / 2} y1="0" y2=${height} />
        ${svg`<path class="length" d=${pathOf(history, top)} />`}
      </svg>
      <p class="halves quiet">
        <span>${moment(first.at, nowMs)}</span>
        <span>${half ? moment(half.at, nowMs) : ''}</span>
        <span>${isStale ? `as of ${moment(new Date(nowMs).toISOString(), nowMs)}` : 'now'}</span>
      </p>
    </div>
    <p class="quiet">At most ${counted(longest, 'request')}, ${now} now.</p>
    <details>
      <summary>Queue length as a table</summary>
      ${wideTableView(
        'Queue length as a table',
        [{ title: 'At' }, { title: 'Queued', isNumber: true }],
        byHour(history).map(({ at, queued }) => [timeView(at, nowMs), queued.toLocaleString('en')]),
      )}
    </details>
  `;
}

/**
 * Steps: the queue kept its length from one reading to the next.
 *
 * @param {Length[]} history
 * @param {number} top
 */
function pathOf(history, top) {
  const [fromMs, toMs] = [history[0], history.at(-1)].map((length) => Date.parse(length?.at ?? ''));
  const spanMs = Math.max(1, (toMs ?? 0) - (fromMs ?? 0));
  const x = (/** @type {string} */ at) => ((Date.parse(at) - (fromMs ?? 0)) / spanMs) * width;
  const y = (/** @type {number} */ queued) => height - (queued / top) * height;
  const steps = history.map(({ at, queued }) => `H${x(at).toFixed(1)}V${y(queued).toFixed(1)}`);
  return `M0 ${height}${steps.join('')}H${width}V${height}Z`;
}

/**
 * The newest first, and of each hour the last.
 *
 * @param {Length[]} history
 */
function byHour(history) {
  const newest = history.toReversed();
  return newest.filter(({ at }, i) => i === 0 || at.slice(0, 13) !== newest[i - 1]?.at.slice(0, 13));
}

/**
 * The top of the scale, whose half is a whole number: 2, 4, 10, 20, 40, 100 …
 *
 * @param {number} longest
 */
function roundedUp(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return [2, 4, 6, 8, 10, 20].map((one) => one * power).find((top) => top >= longest) ?? longest;
}
