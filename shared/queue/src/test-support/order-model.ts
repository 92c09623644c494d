import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import type { OrderRules } from '../order.ts';

/** Where the line of a class is. */
export interface ClassLine {
  /** Dispatches of it that wait. */
  waiting: number;
  /** The greatest tag of a dispatch begun so far. */
  begunMs: number | undefined;
  /** The tag that a source's next dispatch gets at the earliest. */
  turns: Map<string, number>;
}

/** What `lua/order.lua` keeps in Redis. */
export interface OrderLine {
  epochMs: number;
  classes: Record<Priority, ClassLine>;
}

/** A place in the order: a time in ms, and the priority number that BullMQ gets for it. */
export interface Place {
  tagMs: number;
  rank: number;
}

const highestRank = 2_097_151;
const dayMs = 24 * 3_600_000;

/** The order of an empty queue, for requests that arrive at this time. */
export function emptyLine(rules: OrderRules, nowMs: number): OrderLine {
  const classLine = (): ClassLine => ({ waiting: 0, begunMs: undefined, turns: new Map() });
  return {
    epochMs: nowMs - rules.headStartMs.critical - rules.longestLagMs - dayMs,
    classes: { critical: classLine(), high: classLine(), medium: classLine(), low: classLine() },
  };
}

/** Where a fresh dispatch of this class and source would stand; the same reckoning as `next_tag` in `lua/order.lua`. */
export function nextPlace(
  line: OrderLine,
  rules: OrderRules,
  { priority, turnOf, nowMs }: { priority: Priority; turnOf: string; nowMs: number },
): Place {
  const { waiting, begunMs, turns } = line.classes[priority];
  const tagMs =
    rules.intervalMs === 0 || waiting <= 0
      ? nowMs
      : Math.max(begunMs ?? nowMs, nowMs - lagOf(rules, priority), turns.get(turnOf) ?? 0);
  return { tagMs, rank: rankOf(line, rules, priority, tagMs) };
}

/** Adds a dispatch at this place to those that wait. */
export function takePlace(
  line: OrderLine,
  rules: OrderRules,
  { priority, turnOf, tagMs }: { priority: Priority; turnOf: string; tagMs: number },
): void {
  const ofClass = line.classes[priority];
  if (ofClass.waiting <= 0) {
    ofClass.turns.clear();
    ofClass.begunMs = tagMs;
  }
  ofClass.waiting += 1;
  if (rules.intervalMs > 0) ofClass.turns.set(turnOf, tagMs + rules.intervalMs);
}

/** A dispatch is begun: its line has come as far as its tag. */
export function beginPlace(
  line: OrderLine,
  { priority, tagMs }: { priority: Priority; tagMs: number },
): void {
  const ofClass = line.classes[priority];
  ofClass.waiting -= 1;
  ofClass.begunMs = Math.max(ofClass.begunMs ?? tagMs, tagMs);
}

/** How far behind its arrival a tag of this class may lie: a newcomer stays behind the next class's. */
export function lagOf({ headStartMs, longestLagMs, stepMs }: OrderRules, priority: Priority): number {
  const moreUrgent = priorities[priorities.indexOf(priority) - 1];
  if (moreUrgent === undefined) return longestLagMs;
  const gapMs = headStartMs[moreUrgent] - headStartMs[priority] - stepMs;
  return Math.max(0, Math.min(longestLagMs, gapMs));
}

function rankOf({ epochMs }: OrderLine, rules: OrderRules, priority: Priority, tagMs: number): number {
  const rank = Math.floor((tagMs - rules.headStartMs[priority] - epochMs) / rules.stepMs);
  return Math.max(1, Math.min(highestRank, rank));
}

/** A dispatch in its place. */
export interface Waiting extends Place {
  priority: Priority;
  arrivedAtMs: number;
  /** Counts the arrivals. */
  number: number;
}

/** A whole queue by these rules: lowest rank first, within a rank first come first served. */
export function createLine(rules: OrderRules, nowMs: number) {
  const line = emptyLine(rules, nowMs);
  const waiting: Waiting[] = [];
  let number = 0;
  return {
    arrive(priority: Priority, turnOf: string, arrivedAtMs: number): Waiting {
      const place = nextPlace(line, rules, { priority, turnOf, nowMs: arrivedAtMs });
      takePlace(line, rules, { priority, turnOf, tagMs: place.tagMs });
      const arrived = { ...place, priority, arrivedAtMs, number: number++ };
      // Behind all of its rank: binary search for the first of a greater one.
      let [low, high] = [0, waiting.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((waiting[middle]?.rank ?? 0) <= arrived.rank) low = middle + 1;
        else high = middle;
      }
      waiting.splice(low, 0, arrived);
      return arrived;
    },
    begin(): Waiting | undefined {
      const next = waiting.shift();
      if (next) beginPlace(line, next);
      return next;
    },
  };
}
