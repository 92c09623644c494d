/** Longer than the service takes for anything; a connection that is dead on the way would be waited for without end. */
const timeoutMs = 10_000;

/**
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<Response>} rejects when no answer comes in time
 */
export function fetchInTime(url, options = {}) {
  return fetch(url, { ...options, signal: AbortSignal.timeout(timeoutMs) });
}
