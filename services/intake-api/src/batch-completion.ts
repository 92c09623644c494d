import type { BatchTailReader } from '@diq/queue/batch-tail.ts';
import type { StoredBatch } from '@diq/queue/read-requests.ts';
import type { LedgerView } from '@diq/quota/ledger-replies.ts';
import { forecastStartMs } from './forecast-start.ts';

/** When the last of a batch's calls is expected to start, in ms, and in how long; `undefined` where nobody can say. */
export type ForecastCompletion = (batch: StoredBatch) => Promise<{ atMs: number; inMs: number } | undefined>;

interface ForecastCompletionDeps {
  tail: BatchTailReader;
  lookAtLedger: () => Promise<LedgerView>;
}

/** By the place that the batch's last dispatch has in the order. Nothing is to be expected of a completed batch. */
export function createForecastCompletion({ tail, lookAtLedger }: ForecastCompletionDeps): ForecastCompletion {
  return async (batch) => {
    if (batch.isComplete) return undefined;
    // What is dispatching already depends on nothing that waits.
    const lastPosition = batch.counts.queued === 0 ? 0 : await tail.lastPosition(batch);
    const view = await lookAtLedger();
    const { nowMs } = view;
    if (lastPosition === 0) return { atMs: nowMs, inMs: 0 };
    const startMs = lastPosition === undefined ? undefined : forecastStartMs(view, lastPosition);
    return startMs === undefined ? undefined : { atMs: startMs, inMs: startMs - nowMs };
  };
}
