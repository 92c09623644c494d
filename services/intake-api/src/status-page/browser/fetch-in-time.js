/** Longer than the service takes for anything but a large batch; a connection that is dead on the way would be waited for without end. */
const usualTimeoutMs = 10_000;

/**
 * @param {string} url
 * @param {RequestInit} [options]
 * @param {number} [timeoutMs]
 * @returns {Promise<Response>} rejects when no answer comes in time
 */
export function fetchInTime(url, options = {}, timeoutMs = usualTimeoutMs) {
  return fetch(url, { ...options, signal: AbortSignal.timeout(timeoutMs) });
}
