import type { Replayed } from './replay.ts';

/** What must not happen at all. */
export interface Zeros {
  /** Calls over the limit in a rolling window, or answered 429. */
  violations: number;
  /** A second investigation of a machine within an hour. */
  doubles: number;
  /** Requests that ended as they must not, or as started although nothing runs. */
  losses: number;
}

/** A result that is so young is shared with all who ask for the machine (REUSE_WINDOW). */
const reuseSeconds = 3_600;

/** By the log of the Defender in front of which the queue under test stands, and by what it says of its requests. */
export function zerosOf(
  { calls, ends }: Pick<Replayed, 'calls' | 'ends'>,
  { limit, windowMs }: { limit: number; windowMs: number },
): Zeros {
  const made = calls.queue;
  const counted = made.filter(({ status }) => status !== 429);
  const over = counted.filter(({ atMs }, i) => {
    const before = counted[i - limit];
    return before !== undefined && atMs - before.atMs < windowMs;
  });
  const starts = made.filter(({ status }) => status === 200);
  const doubles = starts.filter(({ machineId, atSeconds }, i) =>
    starts.slice(0, i).some((one) => one.machineId === machineId && atSeconds - one.atSeconds < reuseSeconds),
  );
  const called = new Set(starts.map(({ machineId }) => machineId));
  const losses = ends.filter(({ request, status, errorCode, attempts }) => {
    if (status === 'queued' || status === 'dispatching') return false;
    if (status === 'started') return attempts > 0 && !called.has(request.machineId);
    const isUnknown = errorCode === 'machine_unknown' || errorCode === 'machine_not_found';
    return !(status === 'failed' && isUnknown && request.machine === 'unknown');
  });
  return {
    violations: over.length + made.length - counted.length,
    doubles: doubles.length,
    losses: losses.length,
  };
}
