import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { CallbackMetrics } from './callback-metrics.ts';
import type { CallbackQueue, CallbackTarget } from './callback-queue.ts';
import type { CallbackSource, CallbackStore } from './callback-store.ts';

/** Entries per move: about 5 ms of Redis' time. */
const chunkSize = 250;

/**
 * Makes jobs of callbacks that are due, at regular times. Begins at once. Moves never overlap, and are safe beside those of
 * other intakes.
 *
 * @returns what ends it; resolves when a move under way is over
 */
export function startCallbackMover(options: {
  /** The queues to be looked at this time. */
  sources: () => readonly CallbackSource[];
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
  const { sources, store, queue, metrics, intervalMs, takenForMs, onFailure } = options;
  let isFailing = false;
  let isClosed = false;

  async function moveChunk(source: CallbackSource): Promise<boolean> {
    const taken = await store.takeDue(source, chunkSize, takenForMs);
    if (taken.entries.length === 0) return false;
    await queue.add(taken.entries.map(targetOfEntry));
    await store.endMove(source, taken);
    return taken.entries.length === chunkSize;
  }

  /** Returns how many have no job yet. */
  async function moveAll(source: CallbackSource): Promise<number> {
    while ((await moveChunk(source)) && !isClosed);
    return await store.countDue(source);
  }

  async function move(): Promise<void> {
    // One queue that cannot be asked keeps no other's callbacks back.
    const moved = await Promise.allSettled(sources().map(moveAll));
    const failed = moved.find((one) => one.status === 'rejected');
    try {
      if (failed) throw failed.reason;
      const due = moved.reduce((sum, one) => sum + (one.status === 'fulfilled' ? one.value : 0), 0);
      metrics.showPending(due + (await queue.countPending()));
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

const kinds = { batch: 'batch', ended: 'request_ended', 'batch-ended': 'batch_ended' } as const;

/** Reads an entry of the list of what is due: a request id, `ended:<id>` for the end of its result, `batch:<id>`, `batch-ended:<id>`. */
function targetOfEntry(entry: string): CallbackTarget {
  const [, prefix = '', id = ''] = /^([a-z-]+):(.*)$/.exec(entry) ?? [];
  const kind = Object.hasOwn(kinds, prefix) ? kinds[prefix as keyof typeof kinds] : undefined;
  return kind === undefined ? { kind: 'request', id: entry } : { kind, id };
}
