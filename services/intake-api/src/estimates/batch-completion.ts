import type { BatchTailReader } from '@diq/queue/batches/batch-tail.ts';
import type { StoredBatch } from '@diq/queue/requests/request-reader.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { forecastStartMs, startNotBeforeMs } from './forecast-start.ts';

export type ForecastCompletion = ReturnType<typeof createForecastCompletion>;

export type Completion = { inMs: number } & ({ atMs: number } | { notBeforeMs: number });

/** By the place that the batch's last task has in the order. Nothing is to be expected of a completed batch. */
export function createForecastCompletion(
  tail: BatchTailReader,
  ledgerSnapshot: () => Promise<LedgerSnapshot>,
) {
  /**
   * When the last of a batch's calls is expected to start, in ms, or before when none starts where that is all that can be
   * said, and in how long; `undefined` where that is unknown.
   */
  return async (batch: StoredBatch): Promise<Completion | undefined> => {
    if (batch.isComplete) return undefined;
    // What is dispatching already depends on nothing that waits.
    const lastPosition = batch.counts.queued === 0 ? 0 : await tail.lastPosition(batch);
    const view = await ledgerSnapshot();
    const { nowMs } = view;
    if (lastPosition === 0) return { atMs: nowMs, inMs: 0 };
    const startMs = lastPosition === undefined ? undefined : forecastStartMs(view, lastPosition);
    if (startMs !== undefined) return { atMs: startMs, inMs: startMs - nowMs };
    const notBeforeMs = startNotBeforeMs(view);
    return notBeforeMs === undefined ? undefined : { notBeforeMs, inMs: notBeforeMs - nowMs };
  };
}
