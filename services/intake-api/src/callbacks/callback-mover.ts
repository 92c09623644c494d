import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { CallbackMetrics } from './callback-metrics.ts';
import type { CallbackQueue } from './callback-queue.ts';
import type { CallbackStore } from './callback-store.ts';
import { targetOfEntry } from './callback-target.ts';

/** Makes jobs of callbacks that are due, at regular times. Safe beside those of other intakes. */
export interface CallbackMover {
  /** Ends it; resolves when a move under way is over. */
  close(): Promise<void>;
}

interface CallbackMoverOptions {
  store: Pick<CallbackStore, 'takeDue' | 'endMove' | 'countDue'>;
  queue: Pick<CallbackQueue, 'add' | 'countPending'>;
  metrics: Pick<CallbackMetrics, 'showPending'>;
  /** From the end of a move to the next. */
  intervalMs: number;
  /** After this long another intake takes over what one has taken and not moved. */
  takenForMs: number;
  /** Called at the first failure after a success. */
  onFailure: (error: unknown) => void;
}

/** Entries per move: about 5 ms of Redis' time. */
const chunkSize = 250;

/** Begins at once. Moves never overlap. */
export function startCallbackMover(options: CallbackMoverOptions): CallbackMover {
  const { store, queue, metrics, intervalMs, takenForMs, onFailure } = options;
  let isFailing = false;
  let isClosed = false;

  async function moveChunk(): Promise<boolean> {
    const taken = await store.takeDue(chunkSize, takenForMs);
    if (taken.entries.length === 0) return false;
    await queue.add(taken.entries.map(targetOfEntry));
    await store.endMove(taken);
    return taken.entries.length === chunkSize;
  }

  async function move(): Promise<void> {
    try {
      while ((await moveChunk()) && !isClosed);
      metrics.showPending((await store.countDue()) + (await queue.countPending()));
      isFailing = false;
    } catch (error) {
      if (!isFailing) onFailure(error);
      isFailing = true;
    }
  }

  const stop = repeat(intervalMs, move, onFailure);
  return {
    close() {
      isClosed = true;
      return stop();
    },
  };
}
