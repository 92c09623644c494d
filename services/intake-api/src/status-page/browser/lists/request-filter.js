import { textOf } from '../form-text.js';
import { readFieldTime, timeInField } from '../times.js';

/**
 * What requests are listed by. All that is given must fit; of several statuses one.
 *
 * @typedef {{ status?: string[], outcome?: string, priority?: string, from?: string, to?: string, machineId?: string,
 *   batchId?: string, source?: string, key?: string, value?: string }} Filter `from` and `to` are times in ISO 8601 within
 *   which they were submitted; `key` and `value` are a pair of the correlation
 */

export const statuses = ['queued', 'dispatching', 'started', 'failed', 'unknown', 'cancelled', 'expired'];
export const outcomes = ['running', 'succeeded', 'failed', 'cancelled', 'unknown'];
export const priorities = ['critical', 'high', 'medium', 'low'];

/** What can be retried in bulk; each request has ended. */
const retriable = ['failed', 'unknown', 'expired', 'cancelled'];

const texts = /** @type {const} */ ([
  'outcome',
  'priority',
  'machineId',
  'batchId',
  'source',
  'key',
  'value',
]);
const times = /** @type {const} */ (['from', 'to']);
const prefix = 'correlation.';

/**
 * @param {HTMLFormElement} form whose fields have the names of the filter
 * @returns {Filter}
 */
export function readFilter(form) {
  const data = new FormData(form);
  return filterOf({
    status: data.getAll('status').map(String),
    ...Object.fromEntries(texts.map((name) => [name, textOf(data, name)])),
    ...Object.fromEntries(times.map((name) => [name, readFieldTime(textOf(data, name))])),
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {Filter} filter
 */
export function fillFilter(form, filter) {
  for (const box of form.querySelectorAll('input[name=status]'))
    if (box instanceof HTMLInputElement) box.checked = filter.status?.includes(box.value) ?? false;
  for (const name of texts) setField(form, name, filter[name] ?? '');
  for (const name of times) setField(form, name, timeInField(filter[name]));
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {string} text
 */
function setField(form, name, text) {
  const field = form.elements.namedItem(name);
  if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = text;
}

/**
 * Without what is empty.
 *
 * @param {Filter} given
 * @returns {Filter}
 */
function filterOf(given) {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value.length > 0));
}

/**
 * As the API takes it in a query, and as it stands in the address of the page.
 *
 * @param {Filter} filter
 */
export function queryOf({ status = [], key, value, ...others }) {
  const query = new URLSearchParams([
    ...status.map((one) => ['status', one]),
    ...Object.entries(others).map(([name, text]) => [name, text]),
  ]);
  if (key && value) query.set(`${prefix}${key}`, value);
  return query.toString();
}

/**
 * The other way round. What the page has no field for is left out.
 *
 * @param {string} query
 * @returns {Filter}
 */
export function readQuery(query) {
  const given = new URLSearchParams(query);
  const [key = '', value = ''] = [...given].find(([name]) => name.startsWith(prefix)) ?? [];
  const named = [...texts, ...times].map((name) => [name, given.get(name) ?? '']);
  return filterOf({
    ...Object.fromEntries(named),
    status: given.getAll('status'),
    key: key.slice(prefix.length),
    value,
  });
}

/**
 * What can be done with all that fits: bulk actions know no outcome and no time.
 *
 * @param {Filter} filter
 * @returns {'retry' | 'cancel' | undefined}
 */
export function bulkActionFor(filter) {
  const { status = [], outcome, from, to } = filter;
  if (outcome ?? from ?? to) return undefined;
  if (status.length > 0 && status.every((one) => retriable.includes(one))) return 'retry';
  const isNarrow = Object.keys(bodyOf(filter)).length > 0;
  return isNarrow && status.join() === 'queued' ? 'cancel' : undefined;
}

/**
 * What names requests in the body of a bulk action; without `status`, which not all know.
 *
 * @param {Filter} filter
 */
export function bodyOf({ machineId, batchId, source, priority, key, value }) {
  return {
    ...(machineId ? { machineId } : {}),
    ...(batchId ? { batchId } : {}),
    ...(source ? { source } : {}),
    ...(priority ? { priority } : {}),
    ...(key && value ? { correlation: { [key]: value } } : {}),
  };
}

/**
 * In words, for a dialog: what the filter leaves.
 *
 * @param {Filter} filter
 */
export function describeFilter({ machineId, batchId, source, priority, key, value }) {
  const parts = [
    machineId && `machine ${machineId}`,
    batchId && `batch ${batchId}`,
    source && `source ${source}`,
    priority && `priority ${priority}`,
    key && value && `${key} = ${value}`,
  ].filter(Boolean);
  return parts.length === 0 ? 'of this queue' : `of ${parts.join(', ')}`;
}
