import { longestWindowMs } from '@diq/quota/limits.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { QueueState } from '../estimates/queue-state.ts';

/** With so few, all are read every time. */
const alwaysUpTo = 20;
/** With more that are busy they take turns: each is read once in this time. One whose changes are followed is read every time. */
const turnMs = 30_000;
/** A queue in which nothing is open, and about which nothing was asked, is left alone after this: longer than a turn. */
const quietAfterMs = 40_000;
/** Within this time every other queue is looked at once, for what other intakes accepted. */
const sweepMs = 60_000;

/**
 * Which queues are worth reading. One in which nothing happens is asked about once a minute, with many others by one command; one
 * that is asked about, or in which something is open, is read every time, of many in its turn; one in which calls merely count still, when the next of them counts no more.
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
    const now = nowMs();
    for (const queue of await hasWork(some.filter(({ tag }) => (busyUntilMs.get(tag) ?? 0) <= now)))
      mark(queue);
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
      const followed = all.filter(isListenedTo);
      followed.forEach(mark);
      const now = nowMs();
      const isDue = (queue: Queue) =>
        !isListenedTo(queue) &&
        ((busyUntilMs.get(queue.tag) ?? 0) > now || (changesAtMs.get(queue.tag) ?? Infinity) <= now);
      const busy = all.filter(isDue);
      const atOnce = Math.max(alwaysUpTo, Math.ceil((busy.length * intervalMs) / turnMs));
      if (busy.length <= atOnce) return [...followed, ...busy];
      served %= busy.length;
      const turn = [...busy.slice(served), ...busy.slice(0, served)].slice(0, atOnce);
      served += atOnce;
      return [...followed, ...turn];
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
