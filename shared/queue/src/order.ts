import type { Priority } from '@diq/contracts/priority.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** How much longer than it did a request of each class counts as having waited: urgent first, and nobody starves. */
export const headStartMs: Readonly<Record<Priority, number>> = {
  critical: 30 * dayMs,
  high: 24 * hourMs,
  medium: 4 * hourMs,
  low: 0,
};

/** Every head start is a multiple of it. Within one step BullMQ serves first come, first served. */
const stepMs = 15 * minuteMs;
/** Earlier than any arrival by more than the longest head start, so that no rank falls below 1. */
const epochMs = Date.UTC(2025, 0, 1);
/** The greatest priority number BullMQ takes; lower numbers go first. With steps of 15 minutes it is reached in 2084. */
const maxBullPriority = 2_097_151;

/**
 * BullMQ's priority number for a request: its arrival less its head start, in steps since a fixed epoch.
 *
 * @throws RangeError when the clock is off the scale (before 2025-01-31 or after 2084): better than a silent overflow,
 * which would turn the order upside down.
 */
export function orderRank(arrivedAtMs: number, priority: Priority): number {
  const rank = Math.floor((arrivedAtMs - headStartMs[priority] - epochMs) / stepMs);
  if (!(rank >= 1 && rank <= maxBullPriority)) {
    throw new RangeError(
      `the time ${new Date(arrivedAtMs).toISOString()} is outside the range the queue can order`,
    );
  }
  return rank;
}
