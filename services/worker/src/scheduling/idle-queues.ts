/** A queue that is open though nothing is left to be done in it. */
export interface IdleQueue {
  /** Closes it soon, if nothing has come up by then. */
  letGo(): void;
}

export type IdleQueues = ReturnType<typeof createIdleQueues>;

/**
 * The open queues of a process in which nothing is left to be done. So many stay open, those that came last: the next request is called
 * without the delay of opening. The others are let go, since each takes some 40 KB of small objects, all of which V8 looks through whenever it collects.
 */
export function createIdleQueues(most: number) {
  const queues = new Set<IdleQueue>();
  return {
    add(queue: IdleQueue): void {
      queues.delete(queue);
      queues.add(queue);
      for (const oldest of queues) {
        if (queues.size <= most) return;
        queues.delete(oldest);
        oldest.letGo();
      }
    },
    remove: (queue: IdleQueue) => void queues.delete(queue),
  };
}
