/**
 * A reading that is taken at most once per `maxAgeMs` and never twice at a time, however many ask. A failure
 * reaches every caller that waited for that reading, and is not kept.
 */
export function cachedReading<T>(read: () => Promise<T>, maxAgeMs: number): () => Promise<T> {
  let current: Promise<T> | undefined;
  let expiresAtMs = 0;
  const forget = () => (current = undefined);
  const keep = () => {
    expiresAtMs = performance.now() + maxAgeMs;
    // Nobody gets it any more: of a scrape it is megabytes.
    if (maxAgeMs === 0) forget();
  };

  return () => {
    if (current && performance.now() < expiresAtMs) return current;
    const reading = read();
    current = reading;
    // While it is under way it is shared without end; its age counts from the time it arrived.
    expiresAtMs = Number.POSITIVE_INFINITY;
    reading.then(keep, forget);
    return reading;
  };
}
