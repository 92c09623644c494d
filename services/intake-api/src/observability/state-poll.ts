import { repeat } from '@diq/runtime/async/run-periodically.ts';
import { isSlotIdle, type QueueState } from '../estimates/queue-state.ts';
import type { IntakeMetrics } from './metrics.ts';

/**
 * Reads queue and quota at regular times, so that a scrape need not. Begins at once with a first reading. Readings never
 * overlap.
 *
 * @returns what ends it; resolves when a reading under way is over
 */
export function startStatePoll(options: {
  readState: () => Promise<QueueState>;
  metrics: Pick<IntakeMetrics, 'showState' | 'addSlotIdleSeconds'>;
  /** Called with each reading. */
  onState?: (state: QueueState) => void;
  /** From the end of a reading to the next. */
  intervalMs: number;
  /** Called at the first failure after a success, and at the first success after that. */
  onFailure: (error: unknown) => void;
  onRecovery: () => void;
}): () => Promise<void> {
  const { readState, metrics, onState = () => {}, intervalMs, onFailure, onRecovery } = options;
  let previous: QueueState | undefined;
  let isFailing = false;

  async function poll(): Promise<void> {
    try {
      const state = await readState();
      metrics.showState(state);
      metrics.addSlotIdleSeconds(idleSecondsBetween(previous, state));
      onState(state);
      previous = state;
      if (isFailing) onRecovery();
      isFailing = false;
    } catch (error) {
      // What was true during the gap is not known.
      previous = undefined;
      if (!isFailing) onFailure(error);
      isFailing = true;
    }
  }

  return repeat(intervalMs, poll, onFailure);
}

/** Time between two readings if a slot was idle at both, else 0: what cannot be shown is not counted. */
export function idleSecondsBetween(previous: QueueState | undefined, current: QueueState): number {
  if (!previous || !isSlotIdle(previous) || !isSlotIdle(current)) return 0;
  return Math.max(0, current.view.nowMs - previous.view.nowMs) / 1_000;
}
