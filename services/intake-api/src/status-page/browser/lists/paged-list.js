import { faultOf } from '../actions/send-action.js';
import { html } from '../lit-html.js';
import { fetchInTime } from '../fetch-in-time.js';

/**
 * A list of the service, read page by page as far as people ask for more.
 *
 * @template Row
 * @param {() => void} onChange
 */
export function createPagedList(onChange) {
  /** @type {Row[]} */
  let rows = [];
  let nextPath = '';
  let fault = '';
  let isReading = false;
  let readAtMs = 0;
  let asked = 0;

  /**
   * @param {string} path
   * @param {boolean} isMore whether what is there stays
   */
  async function read(path, isMore) {
    asked += 1;
    const mine = asked;
    isReading = true;
    onChange();
    const answer = await readPage(path);
    // Another one was asked for meanwhile.
    if (mine !== asked) return;
    isReading = false;
    fault = answer.fault;
    if (answer.fault === '') {
      rows = isMore ? [...rows, .../** @type {Row[]} */ (answer.rows)] : /** @type {Row[]} */ (answer.rows);
      nextPath = answer.nextPath;
      if (!isMore) readAtMs = Date.now();
    }
    onChange();
  }

  return {
    rows: () => rows,
    fault: () => fault,
    isReading: () => isReading,
    /** By the browser's clock; 0 before the first time. */
    readAtMs: () => readAtMs,
    hasMore: () => nextPath !== '',
    /** @param {string} path */
    read: (path) => read(path, false),
    more: () => read(nextPath, true),
    clear() {
      asked += 1;
      rows = [];
      nextPath = '';
      fault = '';
      isReading = false;
      readAtMs = 0;
    },
  };
}

/**
 * Whether it was read to its end, and nothing was there.
 *
 * @param {ReturnType<typeof createPagedList>} list
 */
export function isEmpty(list) {
  return list.readAtMs() > 0 && list.fault() === '' && list.rows().length === 0 && !list.hasMore();
}

/**
 * What asks for the next page, where there is one.
 *
 * @param {ReturnType<typeof createPagedList>} list
 */
export function showMore(list) {
  if (!list.hasMore()) return '';
  return html`<p class="row actions">
    <button type="button" ?disabled=${list.isReading()} @click=${() => void list.more()}>Show more</button>
  </p>`;
}

/**
 * @param {string} path
 * @returns {Promise<{ fault: string, rows: unknown[], nextPath: string }>}
 */
export async function readPage(path) {
  try {
    const response = await fetchInTime(path);
    if (!response.ok) return { fault: await faultOf(response), rows: [], nextPath: '' };
    const { value, nextLink = '' } = await response.json();
    return { fault: '', rows: value, nextPath: nextLink.replace(/^\//, '') };
  } catch {
    return { fault: 'The service does not answer. Try again soon.', rows: [], nextPath: '' };
  }
}
