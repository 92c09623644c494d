import type { Priority } from '@diq/contracts/priority.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** How much longer than it did a request of each class counts as having waited: urgent first, and none starves. */
export type HeadStarts = Readonly<Record<Priority, number>>;

/**
 * With these at least as many real attacks were called within one and four hours as under fixed priorities, at each of the loads of
 * docs/worth.md.
 */
export const defaultHeadStartMs: HeadStarts = {
  critical: 30 * dayMs,
  high: 14 * dayMs,
  medium: 3 * dayMs,
  low: 0,
};

/** What the scripts go by that give a task its place; see `lua/lib/order.lua`. */
export interface OrderRules {
  headStartMs: HeadStarts;
  /** How far apart the starts of one flow are; 0: no fair queueing, first come first served within a class. */
  intervalMs: number;
  /** Job priorities are so far apart. */
  stepMs: number;
  /** For how long a caller that is new can at most go before those that wait. */
  maxLagMs: number;
}

export interface OrderSettings {
  headStartMs: HeadStarts;
  /** Fair queueing: between the callers of a class, and between the sources of a caller. */
  fairSources: boolean;
  limit: number;
  windowMs: number;
}

/**
 * Fine enough for fair queueing, and BullMQ's 2,097,151 priorities last for almost four years without an empty queue: with every
 * moment at which nothing is open the scale begins anew.
 */
const stepMs = minuteMs;

/** A caller's starts are as far apart as slots are: alone in the queue it is neither favoured nor put off. */
export function orderRules({ headStartMs, fairSources, limit, windowMs }: OrderSettings): OrderRules {
  const intervalMs = fairSources ? Math.max(stepMs, Math.floor(windowMs / limit)) : 0;
  return { headStartMs, intervalMs, stepMs, maxLagMs: dayMs };
}

export const defaultOrderRules = orderRules({
  headStartMs: defaultHeadStartMs,
  fairSources: true,
  limit: 5,
  windowMs: hourMs,
});

/**
 * The flow that a request is charged to: its caller, and among that caller's sources its own. A name is a source
 * of its caller alone. Callers' names hold no NUL.
 */
export function flowOf(source: string | undefined, caller: string | undefined): string {
  return `${caller ?? ''}\0${source ?? ''}`;
}

/** The caller of a flow and its source, '' for none. */
export function partsOfFlow(flow: string): [caller: string, source: string] {
  const at = flow.indexOf('\0');
  return at < 0 ? [flow, ''] : [flow.slice(0, at), flow.slice(at + 1)];
}
