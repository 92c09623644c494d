/** @typedef {{ tenant: string, operation: string }} Queue */
/** @typedef {'overview' | 'requests' | 'batches' | 'submit'} View */

/** @type {readonly View[]} */
const views = ['overview', 'requests', 'batches', 'submit'];

/**
 * What the address asks for: `#contoso/runAntiVirusScan/batches`, or with one queue `#batches`; of requests also which:
 * `#requests?status=failed`.
 *
 * @returns {Queue & { view: View, query: string }} names are empty where none is there
 */
export function readAddress() {
  const [path = '', query = ''] = location.hash.slice(1).split('?');
  const parts = path.split('/').map(decoded);
  const view = views.find((name) => name === parts.at(-1));
  if (view) parts.pop();
  const [tenant = '', operation = ''] = parts;
  return { tenant, operation, view: view ?? 'overview', query };
}

/**
 * @param {Queue | undefined} queue
 * @param {View} view
 * @param {string} [query]
 */
export function addressOf(queue, view, query = '') {
  const ofQueue = queue ? [queue.tenant, queue.operation] : [];
  const path = [...ofQueue.map(encodeURIComponent), ...(view === 'overview' && queue ? [] : [view])];
  return `#${path.join('/')}${query === '' ? '' : `?${query}`}`;
}

/**
 * The list of requests that fit this query, of the queue that the address names.
 *
 * @param {string} query
 */
export function addressOfList(query) {
  const { tenant, operation } = readAddress();
  return addressOf(tenant && operation ? { tenant, operation } : undefined, 'requests', query);
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
