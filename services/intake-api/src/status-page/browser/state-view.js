import { html } from './lit-html.js';
import { callChart, windowName } from './call-chart.js';
import { queueLengthChart } from './queue-length-chart.js';
import { failuresView, nextView } from './request-cards.js';
import { resultsView } from './results-view.js';
import { byPriority, bySource } from './waiting.js';
import { moment, timeView } from './times.js';
import { countdown, counted, duration } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */
/** @typedef {ReturnType<typeof import('./one-request/look-up.js').createLookUp>} LookUp */

/**
 * Everything there is to see of the queue as a whole, in the order in which one asks for it.
 *
 * @param {StateDocument} state
 * @param {number} nowMs
 * @param {LookUp} lookUp
 * @param {object} shown
 * @param {boolean} shown.isStale
 * @param {unknown} shown.pause what pauses the queue
 * @param {(filter: import('./lists/request-filter.js').Filter) => void} shown.list opens the list of those requests
 * @param {() => unknown} shown.firstStep what to do where nothing is there yet
 */
export function stateView(state, nowMs, lookUp, { isStale, pause, list, firstStep }) {
  return html`<div class="overview">
    <div class="columns">
      ${section('quota', 'Quota', quotaView(state, nowMs, isStale))}
      ${section('queue', 'Queue', html`${queueView(state, nowMs)} ${pause}`)}
    </div>
    ${section('calls', 'Last calls', callChart(state, nowMs, isStale))}
    <div class="columns">
      ${section('history', 'Queue length', queueLengthChart(state, nowMs, isStale))}
      ${section('results', 'Results', resultsView(state, list))}
    </div>
    <div class="columns">
      ${section('priority', 'Waiting by priority', byPriority(state, nowMs))}
      ${section('source', 'Waiting by source', bySource(state, nowMs))}
    </div>
    ${section('next', 'Next in line', nextView(state, nowMs, lookUp, firstStep))}
    ${section('look-up', 'Look up a request', lookUp.view())}
    ${section('failures', 'Newest failures', failuresView(state, nowMs, lookUp, list))}
  </div>`;
}

/**
 * @param {string} name
 * @param {string} title
 * @param {unknown} content
 */
export function section(name, title, content) {
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
      ${[...blockedFacts(state), ...savedFacts(state)].map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  `;
}

/**
 * What waits for something else than a slot, where anything does.
 *
 * @param {StateDocument} state
 * @returns {[string, string][]}
 */
function blockedFacts({ blocked: { machineBusy, machineOffline, concurrency } }) {
  /** @type {[string, string][]} */
  const facts = [];
  if (machineBusy > 0)
    facts.push(['Waiting for another operation on the machine', machineBusy.toLocaleString('en')]);
  if (machineOffline > 0) facts.push(['Deferred: machine offline', machineOffline.toLocaleString('en')]);
  if (concurrency !== null)
    facts.push(['Running at Defender', `${concurrency.running} of ${concurrency.limit} at once`]);
  return facts;
}

/**
 * The calls that were not made, since a look before showed that they would be for nothing.
 *
 * @param {StateDocument} state
 * @returns {[string, string][]}
 */
function savedFacts({ slotsSaved: { machineUnknown, alreadyCovered } }) {
  const saved = machineUnknown + alreadyCovered;
  const reasons = [
    machineUnknown > 0 && `${machineUnknown.toLocaleString('en')}, Defender does not know the machine`,
    alreadyCovered > 0 && `${alreadyCovered.toLocaleString('en')}, it ran already`,
  ];
  return saved === 0 ? [] : [['Slots saved', reasons.filter(Boolean).join('; ')]];
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
