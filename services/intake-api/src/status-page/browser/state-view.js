import { html } from './lit-html.js';
import { callChart, windowName } from './call-chart.js';
import { holdNotice, workersNotice } from './notices.js';
import { countdown, counted, duration, moment, timeView } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */
/** @typedef {ReturnType<typeof import('./look-up.js').createLookUp>} LookUp */

/**
 * Everything there is to see, in the order in which one asks for it.
 *
 * @param {StateDocument} state
 * @param {number} nowMs
 * @param {LookUp} lookUp
 * @param {{ isStale: boolean, pause: unknown }} shown `pause` is what pauses the queue
 */
export function stateView(state, nowMs, lookUp, { isStale, pause }) {
  return html`
    ${workersNotice(state, nowMs)} ${holdNotice(state, nowMs)}
    <div class="columns">
      ${section('quota', 'Quota', quotaView(state, nowMs, isStale))}
      ${section('queue', 'Queue', html`${queueView(state, nowMs)} ${pause}`)}
    </div>
    ${section('calls', 'Last calls', callChart(state, nowMs, isStale))}
    <div class="columns">
      ${section('priority', 'Waiting by priority', byPriority(state, nowMs))}
      ${section('source', 'Waiting by source', bySource(state, nowMs))}
    </div>
    ${section('next', 'Next in line', nextView(state, nowMs, lookUp))}
    ${section('look-up', 'Look up a request', lookUp.view())}
    ${section('failures', 'Newest failures', failuresView(state, nowMs, lookUp))}
  `;
}

/**
 * @param {string} name
 * @param {string} title
 * @param {unknown} content
 */
function section(name, title, content) {
  return html`<section id=${name} aria-labelledby="${name}-title">
    <h2 id="${name}-title">${title}</h2>
    ${content}
  </section>`;
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 * @param {boolean} isStale
 */
function quotaView(state, nowMs, isStale) {
  const { used, limit, remaining, windowSeconds, limits, slots, hold, workers } = state;
  return html`
    <p class="figure">
      <strong>${used}</strong> of ${limit} <span class="quiet">used in ${windowName(windowSeconds)}</span>
    </p>
    <p class="slots" aria-hidden="true">
      ${Array.from(
        { length: Math.min(50, Math.max(limit, used)) },
        (_, i) => html`<span class="slot ${i < used ? 'used' : ''}"></span>`,
      )}
    </p>
    ${
      limits.length > 1
        ? html`<ul class="plain quiet" id="limits">
            ${limits.map(limitView)}
          </ul>`
        : ''
    }
    <p class="next">
      ${
        remaining > 0
          ? html`${counted(remaining, 'slot')} free
              <span class="clock" id="next-slot" role="timer"
                >${hold || isStale || workers.state !== 'active' ? '' : 'now'}</span
              >`
          : isStale
            ? 'No slot was free'
            : html`Next slot in
                <span class="clock" id="next-slot" role="timer">${nextSlot(state, nowMs)}</span>`
      }
    </p>
    ${
      slots.length === 0
        ? html`<p class="quiet">No call is counted in this window.</p>`
        : html`<details>
            <summary>Calls in this window</summary>
            <ul class="plain">
              ${slots.map(
                (slot) =>
                  html`<li>
                    <code>${slot.machineId ?? 'unknown machine'}</code>
                    <span class="quiet"
                      >${slot.outcome}, free ${slot.freeAt === null ? '' : moment(slot.freeAt, nowMs)}</span
                    >
                  </li>`,
              )}
            </ul>
          </details>`
    }
  `;
}

/** @param {StateDocument['limits'][number]} limit */
function limitView({ used, calls, windowSeconds }) {
  return html`<li>${used} of ${calls} in ${windowName(windowSeconds)}</li>`;
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
function nextSlot({ nextSlotAt }, nowMs) {
  if (nextSlotAt === null) return 'unknown';
  const leftMs = Date.parse(nextSlotAt) - nowMs;
  return leftMs > 0 ? countdown(leftMs) : 'a moment';
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
function queueView(state, nowMs) {
  const { queue, now } = state;
  const oldestMs = queue.oldestWaitSeconds * 1_000 + (nowMs - Date.parse(now));
  return html`
    <p class="figure">
      <strong id="queued">${queue.queued.toLocaleString('en')}</strong> <span class="quiet">queued</span>
    </p>
    <dl>
      <div>
        <dt>Being called</dt>
        <dd id="dispatching">${queue.dispatching.toLocaleString('en')}</dd>
      </div>
      <div>
        <dt>Being looked up: answer lost</dt>
        <dd id="looking-up">${queue.lookingUp.toLocaleString('en')}</dd>
      </div>
      <div>
        <dt>Oldest wait</dt>
        <dd>${queue.queued === 0 ? 'queue empty' : duration(oldestMs)}</dd>
      </div>
      <div>
        <dt>All started</dt>
        <dd>${allStarted(state, nowMs)}</dd>
      </div>
    </dl>
  `;
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
function allStarted({ queue: { queued, expectedDrainAt, startNotBefore }, workers }, nowMs) {
  if (expectedDrainAt !== null) return html`about ${timeView(expectedDrainAt, nowMs)}`;
  if (queued === 0) return 'queue empty';
  if (workers.state === 'absent') return 'when a worker is running';
  return startNotBefore === null ? 'not known' : html`not before ${timeView(startNotBefore, nowMs)}`;
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
function byPriority({ waiting }, nowMs) {
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Priority</th>
          <th scope="col" class="number">Calls</th>
          <th scope="col" class="number">Oldest wait</th>
        </tr>
      </thead>
      <tbody>
        ${waiting.byPriority.map(
          ({ priority, calls, oldestSince }) => html`
            <tr>
              <th scope="row">${priority}</th>
              <td class="number">${calls.toLocaleString('en')}</td>
              <td class="number">${waited(oldestSince, nowMs)}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
function bySource({ waiting }, nowMs) {
  if (waiting.bySource.length === 0) return html`<p class="quiet">The queue is empty.</p>`;
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Source</th>
          <th scope="col" class="number">Requests</th>
          <th scope="col" class="number">Oldest wait</th>
        </tr>
      </thead>
      <tbody>
        ${waiting.bySource.map(
          ({ source, requests, oldestSince }) => html`
            <tr>
              <th scope="row" class="source">${source ?? 'no source'}</th>
              <td class="number">${requests.toLocaleString('en')}</td>
              <td class="number">${waited(oldestSince, nowMs)}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
    ${
      waiting.otherSources > 0
        ? html`<p class="quiet">
            and ${counted(waiting.otherSources, 'request')} of
            ${counted(waiting.otherSourceCount, 'other source')}
          </p>`
        : ''
    }
  `;
}

/**
 * @param {string | null} since
 * @param {number} nowMs
 */
function waited(since, nowMs) {
  return since === null ? '–' : duration(nowMs - Date.parse(since));
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 * @param {LookUp} lookUp
 */
function nextView({ next }, nowMs, lookUp) {
  if (next.length === 0) return html`<p class="quiet">The queue is empty.</p>`;
  return html`<ol class="cards">
    ${next.map(
      ({ machineId, requestId, expectedStartAt, startNotBefore, placement }) =>
        html`<li>
          <p class="row">
            <span class="badge">${placement.priority}</span>
            <span class="quiet">${startOf({ expectedStartAt, startNotBefore }, nowMs)}</span>
            <button
              type="button"
              aria-label="Look up request ${requestId}"
              @click=${() => lookUp.open(requestId)}
            >
              Look up
            </button>
          </p>
          <p><code>${machineId}</code></p>
          <p class="quiet">${placement.why.join(' ')}</p>
        </li>`,
    )}
  </ol>`;
}

/**
 * @param {{ expectedStartAt: string | undefined, startNotBefore: string | undefined }} call
 * @param {number} nowMs
 */
function startOf({ expectedStartAt, startNotBefore }, nowMs) {
  if (expectedStartAt !== undefined) return html`about ${timeView(expectedStartAt, nowMs)}`;
  return startNotBefore === undefined
    ? 'start not known'
    : html`not before ${timeView(startNotBefore, nowMs)}`;
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 * @param {LookUp} lookUp
 */
function failuresView({ failures }, nowMs, lookUp) {
  if (failures.length === 0) return html`<p class="quiet">None.</p>`;
  return html`<ul class="cards">
    ${failures.map(
      (failure) =>
        html`<li>
          <p class="row">
            <span class="badge ${failure.status}">${failure.status}</span>
            <time class="quiet" datetime=${failure.endedAt ?? failure.createdAt}>
              ${
                failure.endedAt === null
                  ? `asked ${moment(failure.createdAt, nowMs)}`
                  : `${duration(nowMs - Date.parse(failure.endedAt))} ago`
              }
            </time>
            <button
              type="button"
              aria-label="Look up request ${failure.id}"
              @click=${() => lookUp.open(failure.id)}
            >
              Look up
            </button>
          </p>
          <p>${failure.error?.message ?? ''}</p>
          <p class="quiet">
            <code>${failure.machineId}</code>${failure.source === null ? '' : ` · ${failure.source}`}
          </p>
        </li>`,
    )}
  </ul>`;
}
