import { createForecast, nextSlotAtMs } from '@diq/quota/forecast.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { cachedReading, type ReadingPace } from '@diq/runtime/async/memoize.ts';

/** When the call at this place in the order (1 is next) is expected to start; `undefined` while that is unknown. */
export function forecastStartMs(view: LedgerSnapshot, position: number): number | undefined {
  return startForecast(view)(position);
}

/**
 * The same for many places by one view. A hold without a known end, no worker alive, or as many calls running as Defender runs at
 * once, gives no time.
 */
export function startForecast(view: LedgerSnapshot): (position: number) => number | undefined {
  const isEndKnown = view.hold === undefined || isoTime(view.hold.untilMs) !== undefined;
  return isEndKnown && !isStartUnknown(view) ? createForecast(view) : () => undefined;
}

/** Before when nothing starts, where that is all that can be said; `undefined` where a start is expected, or nothing is known. */
export function startNotBeforeMs(view: LedgerSnapshot): number | undefined {
  // What keeps that hold on may pass at any time.
  if (!isStartUnknown(view) || view.hold?.cause !== undefined) return undefined;
  const atMs = view.hold?.untilMs ?? nextSlotAtMs(view);
  return isoTime(atMs) === undefined ? undefined : atMs;
}

/**
 * By quota and holds alone, as if a worker were alive and little running: one that is replaced, or results that have not ended,
 * must not close the door for new requests.
 */
export function byQuotaAlone(view: LedgerSnapshot): LedgerSnapshot {
  const { workers: _, running: __, ...rest } = view;
  return rest;
}

/** Whether Defender runs as many as it runs at once: nothing is called before one of them has ended. */
export function isFull({ running }: Pick<LedgerSnapshot, 'running'>): boolean {
  return running !== undefined && running.now >= running.most;
}

function isStartUnknown(view: LedgerSnapshot): boolean {
  return view.isEndUnknown === true || view.workers?.alive === 0 || isFull(view);
}

/** The last instant that a four-digit year can express. */
const latestMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** ISO 8601 in UTC; `undefined` for a time so far off that it means "unknown", as during a pause without end. */
export function isoTime(timeMs: number | undefined): string | undefined {
  return timeMs !== undefined && timeMs <= latestMs ? new Date(timeMs).toISOString() : undefined;
}

export function createLedgerReading(options: {
  snapshot: () => Promise<LedgerSnapshot>;
  countCriticalWaiting: () => Promise<number>;
  reserveForCritical: number;
  /** Where Defender runs only so many at once: that number, and how many run. */
  running?: { most: number; count: () => Promise<number> } | undefined;
  maxAgeMs: number;
  /** Shared with the other queues. */
  pace?: ReadingPace;
}) {
  const { reserveForCritical: slots, running, maxAgeMs } = options;
  const recall = cachedReading(
    async () => ({ view: await snapshot(), readAtMs: performance.now() }),
    maxAgeMs,
    options.pace,
  );

  /** The ledger as it is, with the slots that are kept for critical requests, and with what runs. */
  async function snapshot(): Promise<LedgerSnapshot> {
    const [view, criticalWaiting, now] = await Promise.all([
      options.snapshot(),
      slots === 0 ? 0 : options.countCriticalWaiting(),
      running?.count() ?? 0,
    ]);
    return {
      ...view,
      ...(slots > 0 && { reserve: { slots, criticalWaiting } }),
      ...(running !== undefined && { running: { now, most: running.most } }),
    };
  }

  return {
    snapshot,
    /** The same, a little old at most, but with the present time: an expected start is never in the past. */
    async snapshotOrRecall(): Promise<LedgerSnapshot> {
      const { view, readAtMs } = await recall();
      return { ...view, nowMs: view.nowMs + Math.floor(performance.now() - readAtMs) };
    },
  };
}
