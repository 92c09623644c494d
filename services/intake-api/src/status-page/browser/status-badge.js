import { html } from './lit-html.js';

/** @typedef {import('@diq/contracts/request-document.ts').RequestDocument} Request */

/**
 * An error beside an open request is the reason for which its answer is looked up in Defender.
 *
 * @param {Pick<Request, 'status' | 'error' | 'result'>} request
 */
export function statusBadge({ status, error, result }) {
  if (status === 'dispatching')
    return error
      ? html`<span class="badge unknown">being looked up</span>`
      : html`<span class="badge dispatching">being called</span>`;
  const outcome = status === 'started' ? result?.outcome : undefined;
  return html`<span class="badge ${status}">${status}</span>${
      outcome === undefined ? '' : html` <span class="badge result-${outcome}">${outcome}</span>`
    }`;
}
