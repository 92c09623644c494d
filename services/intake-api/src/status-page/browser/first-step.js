import { addressOf } from './address.js';
import { html } from './lit-html.js';

/**
 * What to do where nothing is there yet.
 *
 * @param {boolean} maySubmit
 * @param {import('./address.js').Queue | undefined} queue
 */
export function firstStep(maySubmit, queue) {
  if (maySubmit)
    return html`<p>
      The first step: <a href=${addressOf(queue, 'submit')}>submit machines</a>, or let a playbook
      <a href="docs">call the API</a>.
    </p>`;
  const url = new URL('v1/requests', location.href).href;
  return html`
    <p>The first step, with a key that has the scope submit (<a href="docs">the API</a>):</p>
    <pre
      class="command"
      tabindex="0"
      role="region"
      aria-label="Command"
    ><code>curl ${url} -H "X-API-Key: $API_KEY" -H 'Content-Type: application/json' -d '{ "machineId": "…", "comment": "…" }'</code></pre>
  `;
}
