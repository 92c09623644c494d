import { fetchInTime } from './fetch-in-time.js';
import { html } from './lit-html.js';
import { counted, duration, holdReason, timeView } from './wording.js';

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
      const [tenant = '', operation = ''] = decodeURIComponent(location.hash.slice(1)).split('/');
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
          <div class="scroll" tabindex="0" role="region" aria-label="Queues, one in each row">
            <table>
              <thead>
                <tr>
                  <th scope="col">Queue</th>
                  <th scope="col" class="number">Waiting</th>
                  <th scope="col" class="number">Being called</th>
                  <th scope="col" class="number">Oldest wait</th>
                  <th scope="col" class="number">Used</th>
                  <th scope="col">Next slot</th>
                  <th scope="col">Hold</th>
                </tr>
              </thead>
              <tbody>
                ${found.map((queue) => rowView(queue, nowMs))}
              </tbody>
            </table>
          </div>
        </section>
      `;
    },
  };
}

/**
 * @param {Summary} queue
 * @param {number} nowMs
 */
function rowView(queue, nowMs) {
  const { tenant, operation, isReadable, limits = [], nextSlotAt, hold, queued, dispatching } = queue;
  const name = html`<a href="#${tenant}/${operation}">${tenant} ${operation}</a>`;
  if (!isReadable) {
    return html`<tr>
      <th scope="row">${name}</th>
      <td colspan="6" class="fault">cannot be read now</td>
    </tr>`;
  }
  return html`<tr>
    <th scope="row">${name}</th>
    <td class="number">${queued}</td>
    <td class="number">${dispatching}</td>
    <td class="number">${queued ? duration((queue.oldestWaitSeconds ?? 0) * 1_000) : ''}</td>
    <td class="number">${limits.map(({ used, calls }) => `${used} of ${calls}`).join(', ')}</td>
    <td>${nextSlotText(nextSlotAt, nowMs)}</td>
    <td>${hold ? holdReason(hold) : ''}</td>
  </tr>`;
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
