import { createDueHeap } from './due-heap.ts';

export type LookScheduler = ReturnType<typeof createLookScheduler>;

/** One queue among those that are looked at. */
export interface LookedAt {
  /** One look, and what follows from it. @returns ms until the next one; `undefined` for none before it is woken */
  look(): Promise<number | undefined>;
}

export interface Look {
  /** Looks after so many ms, unless it is to be looked at sooner anyway. */
  within(ms: number): void;
  /** Looks after so many ms, though it was to be looked at sooner. */
  after(ms: number): void;
  /** Takes it out, and waits for the look under way. */
  remove(): Promise<void>;
}

interface Entry {
  look: LookedAt['look'];
  /** When it is due; Infinity for never. */
  dueMs: number;
  underWay: Promise<void> | undefined;
  isRemoved: boolean;
}

/** Looks at the same time. One at a Redis that hangs takes its time, and must not keep others from theirs. */
const usualAtOnce = 256;

/**
 * Decides which queue is looked at next: always the one that has been due for the longest. A queue that is to be looked at
 * again at once stands behind all others that are due, so a burst in one delays no other. What is not due costs nothing.
 */
export function createLookScheduler({ atOnce = usualAtOnce }: { atOnce?: number } = {}) {
  const due = createDueHeap<Entry>();
  let underWay = 0;
  let timer: NodeJS.Timeout | undefined;
  let timerDueMs = Infinity;
  let isStopped = false;

  function schedule(entry: Entry, dueMs: number): void {
    entry.dueMs = dueMs;
    // One under way is put in its place when it is over.
    if (entry.underWay === undefined && dueMs < Infinity) due.push(entry, dueMs);
  }

  function run(untilMs: number): void {
    while (!isStopped && underWay < atOnce) {
      const entry = due.takeDue(untilMs);
      if (!entry) break;
      begin(entry);
    }
    wakeUpAt(isStopped || underWay >= atOnce ? Infinity : due.firstMs());
  }

  function wakeUpAt(dueMs: number): void {
    if (dueMs === timerDueMs) return;
    clearTimeout(timer);
    timerDueMs = dueMs;
    if (dueMs === Infinity) return;
    // A timer can ring a little early: what it was set for is due all the same.
    timer = setTimeout(
      () => {
        timerDueMs = Infinity;
        run(Math.max(dueMs, performance.now()));
      },
      Math.max(0, Math.ceil(dueMs - performance.now())),
    );
  }

  function begin(entry: Entry): void {
    underWay += 1;
    entry.dueMs = Infinity;
    entry.underWay = finish(entry, entry.look());
  }

  async function finish(entry: Entry, look: Promise<number | undefined>): Promise<void> {
    const waitMs = (await look) ?? Infinity;
    underWay -= 1;
    entry.underWay = undefined;
    const nowMs = performance.now();
    // Woken during the look: what it saw is out of date.
    if (!entry.isRemoved) schedule(entry, Math.min(entry.dueMs, nowMs + waitMs));
    run(nowMs);
  }

  return {
    /** @param look must not reject. It is made at first after `firstMs` */
    add({ look }: LookedAt, firstMs: number = 0): Look {
      const entry: Entry = { look, dueMs: Infinity, underWay: undefined, isRemoved: false };
      const within = (ms: number): void => {
        const dueMs = performance.now() + ms;
        if (entry.isRemoved || dueMs >= entry.dueMs) return;
        schedule(entry, dueMs);
        if (entry.underWay !== undefined || underWay >= atOnce || isStopped) return;
        if (ms <= 0) run(dueMs);
        else wakeUpAt(due.firstMs());
      };
      within(firstMs);
      return {
        within,
        after(ms) {
          if (entry.underWay !== undefined) return within(ms);
          // At the place that it had it is passed over.
          entry.dueMs = Infinity;
          within(ms);
          if (underWay < atOnce && !isStopped) wakeUpAt(due.firstMs());
        },
        async remove() {
          entry.isRemoved = true;
          entry.dueMs = Infinity;
          await entry.underWay;
        },
      };
    },
    /** Begins no further look. */
    stop() {
      isStopped = true;
      wakeUpAt(Infinity);
    },
  };
}
