import { setTimeout as delay } from 'node:timers/promises';
import { DemoFailure } from './demo-failure.ts';
import type { IntakeClient } from './intake-client.ts';

/** How far a batch has come. */
export interface BatchProgress {
  /** Without those that were rejected at the door. */
  readonly total: number;
  readonly started: number;
  /** Queued, or its call under way. */
  readonly waiting: number;
  readonly failed: number;
  /** Until the next call may be made; undefined when one may be made now, the queue is empty, or the time is unknown. */
  readonly nextSlotInS: number | undefined;
}

export interface FollowBatchOptions {
  readonly intake: IntakeClient;
  readonly batchId: string;
  readonly intervalMs: number;
  /** The batch has to be completed by then. */
  readonly timeoutMs: number;
  readonly show: (progress: BatchProgress) => void;
  /** Aborted when the answer is no longer needed. */
  readonly signal: AbortSignal;
}

/**
 * Shows how a batch gets on until it is completed.
 *
 * @throws DemoFailure when it is not in time; AbortError at the signal
 */
export async function followBatch(options: FollowBatchOptions): Promise<void> {
  const { intake, batchId, intervalMs, timeoutMs, show, signal } = options;
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const [{ status, counts }, quota] = await Promise.all([intake.batch(batchId), intake.quota()]);
    signal.throwIfAborted();
    const waiting = counts.queued + counts.dispatching;
    // While a call is in flight, the time at which its slot opens is unknown.
    const isKnown = counts.queued > 0 && counts.dispatching === 0 && quota.remaining === 0;
    const nextSlotInS = isKnown ? secondsUntil(quota.nextSlotAt) : undefined;
    const { started, failed } = counts;
    show({ total: counts.total - counts.rejected, started, waiting, failed, nextSlotInS });
    if (status === 'completed') return;
    if (performance.now() > endMs) {
      throw new DemoFailure(
        `${waiting} requests still wait after ${Math.round(timeoutMs / 1_000)} s`,
        'worker',
      );
    }
    await delay(intervalMs, undefined, { signal });
  }
}

// Redis runs on this machine, so both times are of one clock.
function secondsUntil(time: string | null): number | undefined {
  return time === null ? undefined : Math.max(0, Math.ceil((Date.parse(time) - Date.now()) / 1_000));
}
