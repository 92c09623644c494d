import { readAddress } from './address.js';
import { fetchInTime } from './fetch-in-time.js';
import { html } from './lit-html.js';
import { wideTableView } from './table-view.js';
import { timeView } from './times.js';
import { counted, duration, holdReason } from './wording.js';

/**
 * A queue in short, as `GET /v1/queues` lists it.
 *
 * @typedef {{ calls: number, used: number, windowSeconds: number, remaining: number }} Limit
 * @typedef {{ tenant: string, operation: string, isReadable: boolean, limits?: Limit[], nextSlotAt?: string | null,
 *   hold?: string | null, queued?: number, dispatching?: number, oldestWaitSeconds?: number }} Summary
 */

/** Ten pages: who has more finds the others by name. */
const maxPages = 10;
const refreshMs = 10_000;

/**
 * The queues that the signed-in person reaches, and the one that is shown: `#contoso/runAntiVirusScan` in the address. With one
 * queue there is nothing to choose.
 *
 * @param {{ onChange: () => void }} deps
 */
export function createQueues({ onChange }) {
  /** @type {Summary[]} */
  let all = [];
  let wanted = '';
  let hasMore = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;

  /** Reads them; what cannot be read stays as it was. */
  async function refresh() {
    /** @type {Summary[]} */
    const read = [];
    let path = 'v1/queues?limit=100';
    for (let page = 0; path && page < maxPages; page += 1) {
      const response = await fetchInTime(path);
      if (!response.ok) return;
      const { value, nextLink = '' } = await response.json();
      read.push(...value);
      path = nextLink.replace(/^\//, '');
    }
    hasMore = path !== '';
    all = read;
    onChange();
  }

  const refreshQuietly = () => void refresh().catch(() => {});

  return {
    /** Reads them for the first time. Where that fails the page goes on as with one queue. */
    async open() {
      await refresh().catch(() => {});
    },
    /** @returns {{ tenant: string, operation: string } | undefined} the one that is shown; `undefined` where one has to be chosen, or there is one */
    chosen() {
      const { tenant, operation } = readAddress();
      return all.length > 1 && tenant && operation ? { tenant, operation } : undefined;
    },
    areSeveral: () => all.length > 1,
    /** Whether the list is in sight: only then it is read again and again. @param {boolean} isShown */
    watch(isShown) {
      if (isShown && timer === undefined) {
        // The field for it is a new one.
        wanted = '';
        refreshQuietly();
        timer = setInterval(refreshQuietly, refreshMs);
      } else if (!isShown) {
        clearInterval(timer);
        timer = undefined;
      }
    },
    /** @param {number} nowMs */
    view(nowMs) {
      const found = all.filter(({ tenant, operation }) =>
        `${tenant}/${operation}`.toLowerCase().includes(wanted),
      );
      return html`
        <section id="queues" aria-labelledby="queues-title">
          <h2 id="queues-title">Queues</h2>
          <form
            class="look-up"
            role="search"
            @submit=${(/** @type {Event} */ event) => event.preventDefault()}
          >
            <label for="queue-name">Tenant or operation</label>
            <input
              id="queue-name"
              autocomplete="off"
              spellcheck="false"
              autocapitalize="none"
              @input=${(/** @type {InputEvent} */ event) => {
                wanted = /** @type {HTMLInputElement} */ (event.target).value.trim().toLowerCase();
                onChange();
              }}
            />
          </form>
          <p class="quiet" role="status">
            ${counted(found.length, 'queue')}${hasMore ? ' of the first thousand; ask GET /v1/queues for more' : ''}
          </p>
          ${wideTableView(
            'Queues, one in each row',
            [
              { title: 'Queue' },
              { title: 'Waiting', isNumber: true },
              { title: 'Being called', isNumber: true },
              { title: 'Oldest wait', isNumber: true },
              { title: 'Used', isNumber: true },
              { title: 'Next slot' },
              { title: 'Hold' },
            ],
            found.map((queue) => cellsOf(queue, nowMs)),
          )}
        </section>
      `;
    },
  };
}

/**
 * @param {Summary} queue
 * @param {number} nowMs
 */
function cellsOf(queue, nowMs) {
  const { tenant, operation, isReadable, limits = [], nextSlotAt, hold, queued, dispatching } = queue;
  const name = html`<a href="#${tenant}/${operation}">${tenant} ${operation}</a>`;
  if (!isReadable) return [name, '', '', '', '', '', html`<span class="fault">cannot be read now</span>`];
  return [
    name,
    queued,
    dispatching,
    queued ? duration((queue.oldestWaitSeconds ?? 0) * 1_000) : '',
    limits.map(({ used, calls }) => `${used} of ${calls}`).join(', '),
    nextSlotText(nextSlotAt, nowMs),
    hold ? holdReason(hold) : '',
  ];
}

/**
 * @param {string | null | undefined} at
 * @param {number} nowMs
 */
function nextSlotText(at, nowMs) {
  if (!at) return '';
  return Date.parse(at) <= nowMs ? 'now' : timeView(at, nowMs);
}

/**
 * Where the routes of a queue are, and what names its operation there.
 *
 * @param {{ tenant: string, operation: string } | undefined} queue
 */
export function routesOf(queue) {
  if (!queue) return { base: 'v1', operation: '' };
  return {
    base: `v1/tenants/${encodeURIComponent(queue.tenant)}`,
    operation: `operation=${encodeURIComponent(queue.operation)}`,
  };
}
