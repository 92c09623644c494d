import type { Priority } from '@diq/contracts/priority.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** How much longer than it did a request of each class counts as having waited: urgent first, and nobody starves. */
export type HeadStarts = Readonly<Record<Priority, number>>;

export const defaultHeadStartMs: HeadStarts = {
  critical: 30 * dayMs,
  high: 24 * hourMs,
  medium: 4 * hourMs,
  low: 0,
};

/** What the scripts go by that give a dispatch its place; see `lua/order.lua`. */
export interface OrderRules {
  headStartMs: HeadStarts;
  /** How far apart the turns of one source are; 0: no turns, first come first served within a class. */
  intervalMs: number;
  /** Ranks are so far apart. */
  stepMs: number;
  /** For how long a source that is new can at most go before those that wait. */
  longestLagMs: number;
}

export interface OrderSettings {
  headStartMs: HeadStarts;
  /** Whether the sources of a class take turns. */
  fairSources: boolean;
  limit: number;
  windowMs: number;
}

/**
 * Fine enough for turns, and BullMQ's 2,097,151 priorities last for almost four years without an empty queue: with every
 * moment at which nothing is open the scale begins anew.
 */
const stepMs = minuteMs;

/** A source's turns are as far apart as slots are: alone in the queue it is neither favoured nor put off. */
export function orderRules({ headStartMs, fairSources, limit, windowMs }: OrderSettings): OrderRules {
  const intervalMs = fairSources ? Math.max(stepMs, Math.floor(windowMs / limit)) : 0;
  return { headStartMs, intervalMs, stepMs, longestLagMs: dayMs };
}

export const defaultOrderRules = orderRules({
  headStartMs: defaultHeadStartMs,
  fairSources: true,
  limit: 5,
  windowMs: hourMs,
});

/** Whose turn a request uses: its source's, or that of whoever sent it where it names none. */
export function turnOf(source: string | undefined, caller: string | undefined): string {
  return source === undefined ? `caller:${caller ?? ''}` : `source:${source}`;
}
