/** Bounds how often many readings are taken, all together. */
export interface ReadingPace {
  /** Whether one more may be taken in this second; counts it. */
  take(): boolean;
  /** How many times its age a reading gets at most while the pace is used up. */
  readonly mostAges: number;
}

export function createReadingPace(perSecond: number, mostAges = 5): ReadingPace {
  let [left, untilMs] = [perSecond, 0];
  return {
    mostAges,
    take() {
      const nowMs = performance.now();
      if (nowMs >= untilMs) [left, untilMs] = [perSecond, nowMs + 1_000];
      left -= 1;
      return left >= 0;
    },
  };
}

/**
 * A reading that is taken at most once per `maxAgeMs` and never twice at a time, however many ask. A failure
 * reaches every caller that waited for that reading, and is not kept.
 *
 * @param pace shared with other readings: while it is used up, an older one is given, as old as it allows
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
    // A fifth more or less: what was read at one moment is not read again at one.
    atMostMs = (pace?.mostAges ?? 1) * (0.8 + 0.4 * Math.random()) * maxAgeMs;
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
