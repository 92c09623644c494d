import { longestWindowMs } from '@diq/quota/limits.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { QueueState } from '../estimates/queue-state.ts';

/** With so few, all are read every time. */
const alwaysUpTo = 20;
/** Read at once at most; with more that are busy they take turns. */
const mostAtOnce = 200;
/** A queue in which nothing is open, and about which nothing was asked, is left alone after this. */
const quietAfterMs = 10_000;
/** Within this time every other queue is looked at once, for what other intakes accepted. */
const sweepMs = 60_000;

/**
 * Which queues are worth reading. A queue in which nothing happens costs one command a minute; one that is asked about, or
 * in which something is open, is read every time; one in which calls merely count still, when the next of them counts no more.
 */
export function createBusyQueues({
  queues,
  hasWork,
  isListenedTo,
  intervalMs,
  nowMs = () => performance.now(),
}: {
  queues: () => readonly Queue[];
  /** Of these, those in which something is open; with one small command each. */
  hasWork: (queues: readonly Queue[]) => Promise<readonly Queue[]>;
  /** Whether a stream of its changes is open. */
  isListenedTo: (queue: Queue) => boolean;
  /** Between two calls of `due`. */
  intervalMs: number;
  nowMs?: () => number;
}) {
  const busyUntilMs = new Map<string, number>();
  /** When what was read changes by itself. */
  const changesAtMs = new Map<string, number>();
  let [swept, served] = [0, 0];

  function mark({ tag }: Pick<Queue, 'tag'>): void {
    busyUntilMs.set(tag, nowMs() + quietAfterMs);
  }

  async function sweep(all: readonly Queue[]): Promise<void> {
    const size = Math.ceil((all.length * intervalMs) / sweepMs);
    if (swept >= all.length) swept = 0;
    const some = all.slice(swept, swept + size);
    swept += size;
    for (const queue of await hasWork(some)) mark(queue);
  }

  return {
    /** A request is about it. */
    mark,
    /** What a reading found. */
    saw(queue: Pick<Queue, 'tag'>, { view, backlog }: QueueState): void {
      const { queued, dispatching } = backlog.counts;
      if (queued + dispatching > 0 || view.holdsOn.length > 0) mark(queue);
      changesAtMs.set(queue.tag, nowMs() + Math.max(quietAfterMs, nextReturnMs(view) - view.nowMs));
    },
    /** Those to be read now. */
    async due(): Promise<readonly Queue[]> {
      const all = queues();
      if (all.length <= alwaysUpTo) return all;
      await sweep(all);
      all.filter(isListenedTo).forEach(mark);
      const now = nowMs();
      const isDue = ({ tag }: Queue) =>
        (busyUntilMs.get(tag) ?? 0) > now || (changesAtMs.get(tag) ?? Infinity) <= now;
      const busy = all.filter(isDue);
      if (busy.length <= mostAtOnce) return busy;
      served %= busy.length;
      const turn = [...busy.slice(served), ...busy.slice(0, served)].slice(0, mostAtOnce);
      served += mostAtOnce;
      return turn;
    },
    /** Those in which something happens, or everything where that is little. */
    busy(): readonly Queue[] {
      const all = queues();
      const now = nowMs();
      return all.length <= alwaysUpTo ? all : all.filter(({ tag }) => (busyUntilMs.get(tag) ?? 0) > now);
    },
  };
}

/** When the next of the calls that count will count no more in one of the windows; `Infinity` where none counts. */
function nextReturnMs({ slotsInUse, limits, nowMs }: QueueState['view']): number {
  const longestMs = longestWindowMs(limits);
  const returns = limits.flatMap(({ windowMs }) =>
    slotsInUse.map(({ freeAtMs }) => freeAtMs - longestMs + windowMs).filter((atMs) => atMs > nowMs),
  );
  return returns.reduce((first, atMs) => Math.min(first, atMs), Infinity);
}
