import { textOf } from '../form-text.js';

/**
 * What requests are listed by. All that is given must fit.
 *
 * @typedef {{ status?: string, outcome?: string, machineId?: string, batchId?: string, source?: string, key?: string,
 *   value?: string }} Filter `key` and `value` are a pair of the correlation
 */

export const statuses = ['queued', 'dispatching', 'started', 'failed', 'unknown', 'cancelled', 'expired'];
export const outcomes = ['running', 'succeeded', 'failed', 'cancelled', 'unknown'];

/** What can be asked again in bulk; each request has ended. */
export const retriable = ['failed', 'unknown', 'expired', 'cancelled'];

const fields = /** @type {const} */ (['status', 'outcome', 'machineId', 'batchId', 'source', 'key', 'value']);

/**
 * @param {HTMLFormElement} form whose fields have the names of the filter
 * @returns {Filter}
 */
export function readFilter(form) {
  const data = new FormData(form);
  const given = fields.map((name) => [name, textOf(data, name)]);
  return Object.fromEntries(given.filter(([, value]) => value !== ''));
}

/**
 * @param {HTMLFormElement} form
 * @param {Filter} filter
 */
export function fillFilter(form, filter) {
  for (const name of fields) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement)
      field.value = filter[name] ?? '';
  }
}

/**
 * @param {Filter} filter
 * @param {string} operation as a part of a query; '' for that of the path
 * @param {number} limit
 */
export function queryOf({ key, value, ...others }, operation, limit) {
  const query = new URLSearchParams({ ...others, limit: String(limit) });
  if (key && value) query.set(`correlation.${key}`, value);
  return [operation, query.toString()].filter(Boolean).join('&');
}

/**
 * What names requests in the body of a bulk action; without `status` and `outcome`, which not all know.
 *
 * @param {Filter} filter
 */
export function bodyOf({ machineId, batchId, source, key, value }) {
  return {
    ...(machineId ? { machineId } : {}),
    ...(batchId ? { batchId } : {}),
    ...(source ? { source } : {}),
    ...(key && value ? { correlation: { [key]: value } } : {}),
  };
}

/**
 * In words, for a dialog: what the filter leaves.
 *
 * @param {Filter} filter
 */
export function describeFilter({ machineId, batchId, source, key, value }) {
  const parts = [
    machineId && `machine ${machineId}`,
    batchId && `batch ${batchId}`,
    source && `source ${source}`,
    key && value && `${key} = ${value}`,
  ].filter(Boolean);
  return parts.length === 0 ? 'of this queue' : `of ${parts.join(', ')}`;
}
