import type { LedgerView } from '@diq/quota/ledger-replies.ts';
import { cachedReading } from './cached-reading.ts';

export interface LedgerReading {
  /** The ledger as it is, with the slots that are kept for critical requests. */
  look(): Promise<LedgerView>;
  /** The same, a little old at most, but told with the time that it is now: what is expected is never in the past. */
  lookOrRecall(): Promise<LedgerView>;
}

interface LedgerReadingOptions {
  look: () => Promise<LedgerView>;
  countCriticalWaiting: () => Promise<number>;
  reserveForCritical: number;
  maxAgeMs: number;
}

export function createLedgerReading(options: LedgerReadingOptions): LedgerReading {
  const { reserveForCritical: slots, maxAgeMs } = options;
  const recall = cachedReading(async () => ({ view: await look(), readAtMs: performance.now() }), maxAgeMs);

  async function look(): Promise<LedgerView> {
    if (slots === 0) return options.look();
    const [view, criticalWaiting] = await Promise.all([options.look(), options.countCriticalWaiting()]);
    return { ...view, reserve: { slots, criticalWaiting } };
  }

  return {
    look,
    async lookOrRecall() {
      const { view, readAtMs } = await recall();
      return { ...view, nowMs: view.nowMs + Math.floor(performance.now() - readAtMs) };
    },
  };
}
