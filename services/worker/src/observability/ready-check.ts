/** What readiness goes by of a queue that is served. */
export interface QueueHealth {
  readonly name: string;
  /** It has work, or had some lately. One without is not looked at but for a slow sweep. */
  isActive(): boolean;
  /** Local time of the last look that succeeded; 0 for none. */
  lastLookAtMs(): number;
  /** For how long, in ms, a call could have been made and nothing was claimed. */
  stalledForMs(): number;
  /** Why it is not served, if it is not. */
  refusal(): string | undefined;
}

/** Redis took a sign of life this recently, or the worker is not ready. */
const signWithinMs = 5_000;
/** A queue with work was looked at with success this recently: with many it is looked at every five seconds. */
const lookedWithinMs = 10_000;
/** Queues that are named; of further ones the number is given. */
const mostNamed = 10;

/**
 * Whether the worker's queues can be looked at and calls are made. A worker that serves some of its queues is ready, and says
 * which it does not serve: they have reasons of their own.
 */
export function describeQueues(
  queues: readonly QueueHealth[],
  {
    lastSignAtMs,
    stallAfterMs,
    nowMs = Date.now(),
  }: { lastSignAtMs: number; stallAfterMs: number; nowMs?: number },
) {
  const active = queues.filter((queue) => queue.isActive());
  const unreached = active.filter((queue) => nowMs - queue.lastLookAtMs() >= lookedWithinMs);
  const stalled = active.filter((queue) => queue.stalledForMs() > stallAfterMs);
  const refused = queues.filter((queue) => queue.refusal() !== undefined);
  const isReached = nowMs - lastSignAtMs < signWithinMs && !isAll(unreached, active);
  const isMoving = !isAll(stalled, active);
  return {
    ok: isReached && isMoving && !isAll(refused, queues),
    checks: {
      queue: isReached ? `looked at${except(unreached)}` : 'not reachable',
      progress: isMoving
        ? `as the quota allows${except(stalled)}`
        : `slots are free, work is ready, nothing moves${stalled.length > 1 ? `: ${named(stalled)}` : ''}`,
      ...(refused.length > 0 && { notServed: named(refused) }),
    },
  };
}

function isAll(some: readonly unknown[], all: readonly unknown[]): boolean {
  return some.length > 0 && some.length === all.length;
}

function except(queues: readonly QueueHealth[]): string {
  return queues.length > 0 ? `, except ${named(queues)}` : '';
}

function named(queues: readonly QueueHealth[]): string {
  const names = queues.slice(0, mostNamed).map(({ name }) => name);
  const further = queues.length - names.length;
  return names.join(', ') + (further > 0 ? ` and ${further} more` : '');
}
