import { html } from './lit-html.js';
import { momentToTheSecond, timeView } from './times.js';
import { countdown, counted, holdReason } from './wording.js';

/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */

/**
 * That what is shown is no longer known to be true.
 *
 * @param {{ sinceMs: number, what: string }} stale
 */
export function staleNotice({ sinceMs, what }) {
  return notice(
    'stale',
    'act',
    html`As of <time datetime=${new Date(sinceMs).toISOString()}>${momentToTheSecond(sinceMs)}</time>: ${what}`,
    html`<p>The figures below were correct then and may have changed. The page reconnects by itself.</p>`,
  );
}

/**
 * The notice that no worker runs, or that the workers make no calls.
 *
 * @param {StateDocument} state
 * @param {number} nowMs
 */
export function workersNotice({ workers, queue, remaining }, nowMs) {
  const waiting =
    queue.queued === 0
      ? 'The queue is empty.'
      : `${counted(queue.queued, 'request')} ${queue.queued === 1 ? 'waits' : 'wait'}.`;
  switch (workers.state) {
    case 'absent':
      return notice(
        'workers',
        'act',
        'No worker is running',
        html`
          <p>
            ${workers.lastSeenAt === null ? 'No worker has been seen yet.' : html`Last seen ${timeView(workers.lastSeenAt, nowMs)}.`}
            ${waiting} Nothing is called. Requests are accepted and kept.
          </p>
          <p>
            Start a worker. If one should be running, its log says why it ended.
            ${runbookLink('workerabsent')}
          </p>
        `,
      );
    case 'stalled':
      return notice(
        'workers',
        'act',
        'The workers are stalled',
        html`
          <p>
            ${counted(workers.alive, 'worker')} alive, ${counted(remaining, 'slot')} free, no hold. ${waiting}
            Yet nothing has been called for at least 30 s.
          </p>
          <p>Read the log of the workers, and restart them. ${runbookLink('slotswasted')}</p>
        `,
      );
    default:
      return '';
  }
}

/**
 * @param {StateDocument} state
 * @param {number} nowMs
 */
export function holdNotice({ hold, pause }, nowMs) {
  if (!hold) return '';
  const until =
    hold.until === null
      ? hold.reason === 'paused'
        ? 'until it is resumed'
        : 'until this succeeds: tried at least every 30 s'
      : html`until ${timeView(hold.until, nowMs)}, in
          <span class="clock" role="timer">${countdown(Date.parse(hold.until) - nowMs)}</span>`;
  const { title, urgency } = byAction[hold.action];
  return html`<section class="notice ${urgency}" aria-labelledby="hold-title">
    <h2 id="hold-title">${hold.reason === 'paused' ? 'Paused' : title}</h2>
    <p>Nothing is called, because ${reasonView(hold.reason)}, ${until}.</p>
    ${
      hold.reason === 'paused'
        ? ''
        : html`<p>${hold.detail}</p>
            <p>${runbookLink(hold.runbook.split('#')[1] ?? '')}</p>`
    }
    ${
      pause
        ? html`<p>
            Paused by ${pause.displayName ?? pause.by}${pause.reason ? html`: “${pause.reason}”` : ''}, since
            ${pause.since === undefined ? '' : timeView(pause.since, nowMs)}
          </p>`
        : ''
    }
  </section>`;
}

/** What a hold asks of those who see it, in words and in colour. */
const byAction = /** @type {const} */ ({
  required: { title: 'Stopped: action required', urgency: 'act' },
  check: { title: 'On hold: check the cause', urgency: 'look' },
  none: { title: 'On hold: resumes by itself', urgency: 'wait' },
});

/** @param {string} reason */
function reasonView(reason) {
  return reason === 'paused' ? 'an operator paused the queue' : holdReason(reason);
}

/**
 * @param {string} name
 * @param {'act' | 'look' | 'wait'} urgency its colour; the words say the same
 * @param {unknown} title
 * @param {unknown} content
 */
function notice(name, urgency, title, content) {
  return html`<section class="notice ${urgency}" aria-labelledby="${name}-title">
    <h2 id="${name}-title">${title}</h2>
    ${content}
  </section>`;
}

/** @param {string} heading */
function runbookLink(heading) {
  return html`<a href="docs/runbook#${heading}">What to do</a>`;
}
