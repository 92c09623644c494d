/** Bounds how often many readings are taken, all together. */
export interface ReadingPace {
  /** Whether one more may be taken in this second; counts it. */
  take(): boolean;
}

export function createReadingPace(perSecond: number): ReadingPace {
  let [left, untilMs] = [perSecond, 0];
  return {
    take() {
      const nowMs = performance.now();
      if (nowMs >= untilMs) [left, untilMs] = [perSecond, nowMs + 1_000];
      left -= 1;
      return left >= 0;
    },
  };
}

/** How many times its age a reading gets at most while its pace is used up: what was read at one moment is not read again at one. */
const mostAges = () => 4 + 2 * Math.random();

/**
 * A reading that is taken at most once per `maxAgeMs` and never twice at a time, however many ask. A failure
 * reaches every caller that waited for that reading, and is not kept.
 *
 * @param pace shared with other readings: while it is used up, an older one is given, four to six times as old at most
 */
export function cachedReading<T>(
  read: () => Promise<T>,
  maxAgeMs: number,
  pace?: ReadingPace,
): () => Promise<T> {
  let current: Promise<T> | undefined;
  let arrivedAtMs = 0;
  let atMostMs = 0;
  const forget = () => (current = undefined);
  const keep = () => {
    arrivedAtMs = performance.now();
    atMostMs = mostAges() * maxAgeMs;
    // Nobody gets it any more: of a scrape it is megabytes.
    if (maxAgeMs === 0) forget();
  };
  function isToBeTaken(): boolean {
    const ageMs = performance.now() - arrivedAtMs;
    if (ageMs < maxAgeMs) return false;
    // Taken from the pace also where it has to be.
    const isInPace = pace?.take() ?? true;
    return isInPace || ageMs >= atMostMs;
  }

  return () => {
    if (current && !isToBeTaken()) return current;
    if (!current) pace?.take();
    const reading = read();
    current = reading;
    // While it is under way it is shared without end; its age counts from the time it arrived.
    arrivedAtMs = Number.POSITIVE_INFINITY;
    reading.then(keep, forget);
    return reading;
  };
}
