import { html, svg } from './lit-html.js';
import { wideTableView } from './table-view.js';
import { moment, timeView } from './times.js';
import { counted } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */
/** @typedef {StateDocument['windows'][number]} CallWindow */

/** Outcomes as they are drawn, from the foot of a bar to its top. */
const groups = [
  { name: 'started', label: 'Started', outcomes: ['started', 'already_running'] },
  { name: 'in-flight', label: 'In flight', outcomes: ['in_flight'] },
  { name: 'throttled', label: 'Throttled', outcomes: ['throttled'] },
  { name: 'no-answer', label: 'No answer', outcomes: ['unknown', 'lost', 'timeout', 'connection_lost'] },
  { name: 'failed', label: 'Failed', outcomes: /** @type {string[]} */ ([]) },
];

const columnWidth = 10;
const barWidth = 7;
const height = 100;

/**
 * The calls of the last windows as bars, and as a table for who reads rather than looks.
 *
 * @param {StateDocument} state
 * @param {number} nowMs
 * @param {boolean} isStale whether `nowMs` is the time up to which the state is known, and not the present
 */
export function callChart({ windows, limits }, nowMs, isStale) {
  // The windows that are shown are those of the longest limit.
  const { calls: limit = 0, windowSeconds = 0 } = limits.at(-1) ?? {};
  const counts = windows.map(countByGroup);
  const totals = groups.map((group) => counts.reduce((sum, count) => sum + (count[group.name] ?? 0), 0));
  const all = totals.reduce((sum, total) => sum + total, 0);
  const highest = Math.max(limit, ...counts.map((count) => sumOf(count)), 1);
  const first = windows[0];
  return html`
    <svg
      class="chart"
      viewBox="0 0 ${windows.length * columnWidth} ${height}"
      preserveAspectRatio="none"
      role="img"
      aria-label="${counted(all, 'call')} in the last ${windows.length} windows of ${windowName(windowSeconds)}"
    >
      <line
        class="limit"
        x1="0"
        x2=${windows.length * columnWidth}
        y1=${yOf(limit, highest)}
        y2=${yOf(limit, highest)}
      />
      <line class="ground" x1="0" x2=${windows.length * columnWidth} y1=${height} y2=${height} />
      ${counts.map((count, i) => bar(count, i, highest))}
    </svg>
    <p class="axis quiet">
      <span>${first ? moment(first.from, nowMs) : ''}</span>
      <span>dashed: limit of ${limit}</span>
      <span>${isStale ? `as of ${moment(new Date(nowMs).toISOString(), nowMs)}` : 'now'}</span>
    </p>
    <ul class="legend">
      ${groups.map(
        (group, i) =>
          html`<li>
            <span class="swatch ${group.name}"></span>${group.label} <strong>${totals[i]}</strong>
          </li>`,
      )}
    </ul>
    <details>
      <summary>Calls as a table</summary>
      ${table(windows, counts, nowMs)}
    </details>
  `;
}

/**
 * @param {CallWindow[]} windows
 * @param {Record<string, number>[]} counts
 * @param {number} nowMs
 */
function table(windows, counts, nowMs) {
  const rows = windows.map((window, i) => ({ window, count: counts[i] ?? {} })).toReversed();
  const called = rows.filter(({ count }) => sumOf(count) > 0);
  if (called.length === 0) return html`<p class="quiet">No call was made in these windows.</p>`;
  return wideTableView(
    'Calls as a table',
    [{ title: 'From' }, ...groups.map(({ label }) => ({ title: label, isNumber: true }))],
    called.map(({ window, count }) => [
      timeView(window.from, nowMs),
      ...groups.map(({ name }) => count[name] ?? 0),
    ]),
  );
}

/**
 * @param {Record<string, number>} count
 * @param {number} column
 * @param {number} highest
 */
function bar(count, column, highest) {
  let below = 0;
  return groups.map(({ name }) => {
    const here = count[name] ?? 0;
    const from = below;
    below += here;
    if (here === 0) return '';
    const top = yOf(below, highest);
    const x = column * columnWidth + (columnWidth - barWidth) / 2;
    return svg`<rect class=${name} x=${x} y=${top} width=${barWidth} height=${yOf(from, highest) - top} />`;
  });
}

/**
 * @param {number} calls
 * @param {number} highest
 */
function yOf(calls, highest) {
  // A little room above, so that the line of the limit is seen whole.
  return height - (calls / highest) * (height - 4);
}

/**
 * @param {CallWindow} window
 * @returns {Record<string, number>}
 */
function countByGroup({ calls }) {
  /** @type {Record<string, number>} */
  const count = {};
  for (const [outcome, number] of Object.entries(calls)) {
    const name = groups.find(({ outcomes }) => outcomes.includes(outcome))?.name ?? 'failed';
    count[name] = (count[name] ?? 0) + number;
  }
  return count;
}

/** @param {Record<string, number>} count */
function sumOf(count) {
  return Object.values(count).reduce((sum, number) => sum + number, 0);
}

/** @param {number} seconds */
export function windowName(seconds) {
  if (seconds % 3_600 === 0) return seconds === 3_600 ? 'an hour' : `${seconds / 3_600} hours`;
  if (seconds % 60 === 0) return seconds === 60 ? 'a minute' : `${seconds / 60} minutes`;
  return `${seconds} seconds`;
}
