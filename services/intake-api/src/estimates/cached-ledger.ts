import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { cachedReading } from '@diq/runtime/async/memoize.ts';

export interface LedgerReading {
  /** The ledger as it is, with the slots that are kept for critical requests. */
  snapshot(): Promise<LedgerSnapshot>;
  /** The same, a little old at most, but told with the time that it is now: what is expected is never in the past. */
  snapshotOrRecall(): Promise<LedgerSnapshot>;
}

interface LedgerReadingOptions {
  snapshot: () => Promise<LedgerSnapshot>;
  countCriticalWaiting: () => Promise<number>;
  reserveForCritical: number;
  maxAgeMs: number;
}

export function createLedgerReading(options: LedgerReadingOptions): LedgerReading {
  const { reserveForCritical: slots, maxAgeMs } = options;
  const recall = cachedReading(
    async () => ({ view: await snapshot(), readAtMs: performance.now() }),
    maxAgeMs,
  );

  async function snapshot(): Promise<LedgerSnapshot> {
    if (slots === 0) return options.snapshot();
    const [view, criticalWaiting] = await Promise.all([options.snapshot(), options.countCriticalWaiting()]);
    return { ...view, reserve: { slots, criticalWaiting } };
  }

  return {
    snapshot,
    async snapshotOrRecall() {
      const { view, readAtMs } = await recall();
      return { ...view, nowMs: view.nowMs + Math.floor(performance.now() - readAtMs) };
    },
  };
}
