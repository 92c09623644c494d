import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { CallbackMetrics } from './callback-metrics.ts';
import type { CallbackQueue, CallbackTarget } from './callback-queue.ts';
import type { CallbackStore } from './callback-store.ts';

/** Entries per move: about 5 ms of Redis' time. */
const chunkSize = 250;

/**
 * Makes jobs of callbacks that are due, at regular times. Begins at once. Moves never overlap, and are safe beside those of
 * other intakes.
 *
 * @returns what ends it; resolves when a move under way is over
 */
export function startCallbackMover(options: {
  store: CallbackStore;
  queue: CallbackQueue;
  metrics: CallbackMetrics;
  /** From the end of a move to the next. */
  intervalMs: number;
  /** After this long another intake takes over what one has taken and not moved. */
  takenForMs: number;
  /** Called at the first failure after a success. */
  onFailure: (error: unknown) => void;
}): () => Promise<void> {
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
  return () => {
    isClosed = true;
    return stop();
  };
}

const batchPrefix = 'batch:';

/** Reads an entry of the list of what is due: a request id, or `batch:<id>`. */
function targetOfEntry(entry: string): CallbackTarget {
  return entry.startsWith(batchPrefix)
    ? { kind: 'batch', id: entry.slice(batchPrefix.length) }
    : { kind: 'request', id: entry };
}
