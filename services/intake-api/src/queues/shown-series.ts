import type { Queue } from '@diq/tenants/tenant.ts';
import type { QueueState } from '../estimates/queue-state.ts';
import type { createBusyQueues } from './busy-queues.ts';
import type { LayoutGuard } from './layout-guard.ts';
import type { QueueDirectory } from './queue-directory.ts';
import type { IntakeMetrics } from '../observability/metrics.ts';

interface ShownSeriesOptions {
  directory: QueueDirectory;
  layouts: Pick<LayoutGuard, 'isForeign'>;
  busy: Pick<ReturnType<typeof createBusyQueues>, 'mark'>;
  /** Which of these queues have something open. */
  hasWork(queues: readonly Queue[]): Promise<Queue[]>;
  metrics: Pick<IntakeMetrics, 'showQueue' | 'forgetQueue'>;
}

/** Which queues have series: those of the settings, and removed ones as long as a call of theirs is under way. */
export function createShownSeries({ directory, layouts, busy, hasWork, metrics }: ShownSeriesOptions) {
  const shown = new Map<string, Queue>();

  /** Most have nothing open: they need not be opened for a reading. */
  async function forgetRemoved(removed: readonly Queue[]): Promise<void> {
    const open = new Set(await hasWork(removed).catch(() => removed));
    for (const queue of removed) {
      if (open.has(queue)) busy.mark(queue);
      else if (!directory.isAccepting(queue)) metrics.forgetQueue(queue);
    }
  }

  return {
    /** After each change of the settings. */
    show(): void {
      const removed: Queue[] = [];
      for (const queue of shown.values()) {
        // One that has another name now is read under that name, and one of another version is not read.
        if (directory.byTag(queue.tag)?.tenant !== queue.tenant || layouts.isForeign(queue))
          metrics.forgetQueue(queue);
        else if (!directory.isAccepting(queue)) removed.push(queue);
      }
      shown.clear();
      for (const queue of directory.queues().filter(directory.isAccepting)) {
        shown.set(queue.tag, queue);
        metrics.showQueue(queue);
      }
      void forgetRemoved(removed);
    },
    /** A reading of a queue: that of a removed one without a call under way is its last. */
    saw(queue: Pick<Queue, 'operation' | 'tag' | 'tenant'>, { backlog }: Pick<QueueState, 'backlog'>): void {
      if (!directory.isAccepting(queue) && backlog.counts.dispatching === 0) metrics.forgetQueue(queue);
    },
  };
}
