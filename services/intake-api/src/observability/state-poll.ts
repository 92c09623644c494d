import { repeat } from '@diq/runtime/async/run-periodically.ts';
import { nameOf, type Queue } from '@diq/tenants/tenant.ts';
import { isSlotIdle, type QueueState } from '../estimates/queue-state.ts';
import type { QueueMetrics } from './metrics.ts';

/** A queue that is read again and again. */
export interface PolledQueue {
  readonly queue: Pick<Queue, 'tenant' | 'operation' | 'tag'>;
  readonly parts: {
    readState: () => Promise<QueueState>;
    /** Where each reading is shown. */
    stateFeed: { show(state: QueueState): void; fail(): void };
  };
  readonly metrics: Pick<QueueMetrics, 'showState' | 'addSlotIdleSeconds'>;
}

interface StatePollOptions {
  /** Those to be read this time. */
  due: () => Promise<readonly PolledQueue[]>;
  /** Called with each reading. */
  onState?: (queue: PolledQueue['queue'], state: QueueState) => void;
  /** All that were due were read. */
  onComplete?: () => void;
  /** From the end of a reading to the next. */
  intervalMs: number;
  /** Called at the first failure after a time in which none failed, and at the first such time after that. */
  onFailure: (error: unknown, queues: readonly string[]) => void;
  onRecovery: () => void;
}

/** Queues read at the same time. */
const concurrency = 25;
const maxNamed = 10;

/**
 * Reads queues and their quotas at regular times, so that a scrape need not. Begins at once with a first reading. Readings
 * never overlap. A queue that cannot be read keeps no other from being read.
 *
 * @returns what ends it; resolves when a reading under way is over
 */
export function startStatePoll(options: StatePollOptions): () => Promise<void> {
  const { due, onState = () => {}, onComplete = () => {}, intervalMs } = options;
  const { onFailure, onRecovery } = options;
  const previous = new Map<string, QueueState>();
  let isFailing = false;

  async function read({ queue, parts, metrics }: PolledQueue): Promise<unknown> {
    try {
      const state = await parts.readState();
      metrics.showState(state);
      metrics.addSlotIdleSeconds(idleSecondsBetween(previous.get(queue.tag), state));
      parts.stateFeed.show(state);
      previous.set(queue.tag, state);
      onState(queue, state);
      return undefined;
    } catch (error) {
      // What was true during the gap is not known.
      previous.delete(queue.tag);
      parts.stateFeed.fail();
      return error;
    }
  }

  async function poll(): Promise<void> {
    const queues = await due();
    const failed: string[] = [];
    let first: unknown;
    for (let i = 0; i < queues.length; i += concurrency) {
      const some = queues.slice(i, i + concurrency);
      const errors = await Promise.all(some.map(read));
      for (const [at, error] of errors.entries()) {
        const queue = some[at]?.queue;
        if (error === undefined || !queue) continue;
        first ??= error;
        if (failed.length < maxNamed) failed.push(nameOf(queue));
      }
    }
    note(first, failed);
  }

  function note(error: unknown, failed: readonly string[]): void {
    if (error === undefined) {
      onComplete();
      if (isFailing) onRecovery();
    } else if (!isFailing) onFailure(error, failed);
    isFailing = error !== undefined;
  }

  return repeat(intervalMs, poll, (error) => note(error, []));
}

/** Time between two readings if a slot was idle at both, else 0: what cannot be shown is not counted. */
export function idleSecondsBetween(previous: QueueState | undefined, current: QueueState): number {
  if (!previous || !isSlotIdle(previous) || !isSlotIdle(current)) return 0;
  return Math.max(0, current.view.nowMs - previous.view.nowMs) / 1_000;
}
