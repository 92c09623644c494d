/** @typedef {{ tenant: string, operation: string }} Queue */
/** @typedef {'overview' | 'requests' | 'batches' | 'submit'} View */

/** @type {readonly View[]} */
const views = ['overview', 'requests', 'batches', 'submit'];

/**
 * What the address asks for: `#contoso/runAntiVirusScan/batches`, or with one queue `#batches`.
 *
 * @returns {Queue & { view: View }} names are empty where none is there
 */
export function readAddress() {
  const parts = decoded(location.hash.slice(1)).split('/');
  const view = views.find((name) => name === parts.at(-1));
  if (view) parts.pop();
  const [tenant = '', operation = ''] = parts;
  return { tenant, operation, view: view ?? 'overview' };
}

/**
 * @param {Queue | undefined} queue
 * @param {View} view
 */
export function addressOf(queue, view) {
  const ofQueue = queue ? [queue.tenant, queue.operation] : [];
  return `#${[...ofQueue.map(encodeURIComponent), ...(view === 'overview' && queue ? [] : [view])].join('/')}`;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
