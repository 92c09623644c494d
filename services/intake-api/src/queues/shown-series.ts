import { inSlices } from '@diq/runtime/async/in-slices.ts';
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

/** Many tenants come or go at once: after so many queues what else is to be done has its turn. */
const queuesAtOnce = 25;

/** Which queues have series: those of the settings, and removed ones as long as a call of theirs is under way. */
export function createShownSeries({ directory, layouts, busy, hasWork, metrics }: ShownSeriesOptions) {
  const shown = new Map<string, Queue>();
  let showing = Promise.resolve();

  /** Most have nothing open: they need not be opened for a reading. */
  async function forgetRemoved(removed: readonly Queue[]): Promise<void> {
    const open = new Set(removed.length === 0 ? [] : await hasWork(removed).catch(() => removed));
    await inSlices(removed, queuesAtOnce, (queue) => {
      if (open.has(queue)) busy.mark(queue);
      else if (!directory.isAccepting(queue)) metrics.forgetQueue(queue);
    });
  }

  async function show(): Promise<void> {
    const removed: Queue[] = [];
    await inSlices([...shown.values()], queuesAtOnce, (queue) => {
      // One that has another name now is read under that name, and one of another version is not read.
      if (directory.byTag(queue.tag)?.tenant !== queue.tenant || layouts.isForeign(queue))
        metrics.forgetQueue(queue);
      else if (!directory.isAccepting(queue)) removed.push(queue);
    });
    shown.clear();
    await inSlices(directory.queues().filter(directory.isAccepting), queuesAtOnce, (queue) => {
      if (!directory.isAccepting(queue)) return;
      shown.set(queue.tag, queue);
      metrics.showQueue(queue);
    });
    await forgetRemoved(removed);
  }

  return {
    /** After each change of the settings, one change after the other. */
    show: (): void => void (showing = showing.then(show)),
    /** A reading of a queue: that of a removed one without a call under way is its last. */
    saw(queue: Pick<Queue, 'operation' | 'tag' | 'tenant'>, { backlog }: Pick<QueueState, 'backlog'>): void {
      if (!directory.isAccepting(queue) && backlog.counts.dispatching === 0) metrics.forgetQueue(queue);
    },
  };
}
