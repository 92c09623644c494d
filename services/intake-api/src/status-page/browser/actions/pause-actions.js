import { html } from '../lit-html.js';
import { counted } from '../wording.js';
import { sendAction } from './send-action.js';

/** @typedef {import('../../../live-state/read-state-document.ts').StateDocument} StateDocument */

/**
 * The button that pauses the queue, or ends its pause.
 *
 * @param {StateDocument} state
 * @param {object} deps
 * @param {(scope: string) => boolean} deps.may
 * @param {(question: import('./confirmation.js').Question) => void} deps.ask
 * @param {() => { base: string, operation: string }} deps.routes
 */
export function pauseActions({ pause, queue }, { may, ask, routes }) {
  if (!may('admin')) return '';
  const { base, operation } = routes();
  const query = operation ? `?${operation}` : '';
  const waiting = counted(queue.queued, 'request');
  const [name, question] = pause
    ? [
        'Resume',
        {
          title: 'Resume the queue?',
          says: `Calls to Defender go on as soon as the quota allows; ${waiting} queued.`,
          confirm: 'Resume the queue',
        },
      ]
    : [
        'Pause',
        {
          title: 'Pause the queue?',
          says: `No calls are made to Defender until the queue is resumed; ${waiting} queued. Requests are accepted as before, and calls under way come to their ends.`,
          confirm: 'Pause the queue',
          needsReason: true,
        },
      ];
  const url = `${base}/queue/${pause ? 'resume' : 'pause'}${query}`;
  return html`<p class="row actions">
    <button
      type="button"
      @click=${() =>
        ask({
          ...question,
          send: ({ reason }) => sendAction({ method: 'POST', url, body: reason ? { reason } : {} }),
          onDone: () => {},
        })}
    >
      ${name}
    </button>
  </p>`;
}
