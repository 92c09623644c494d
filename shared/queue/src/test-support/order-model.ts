import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import { partsOfFlow } from '../scheduling/order.ts';
import type { OrderRules } from '../scheduling/order.ts';

/** One caller in the line of a class. */
interface CallerLine {
  /** The tag that its next task is claimed with at the earliest. */
  nextMs: number;
  /** Source → the tag that its next task gets at the earliest. */
  turns: Map<string, number>;
}

/** Where the line of a class is. */
export interface ClassLine {
  /** Tasks of it that wait. */
  waiting: number;
  /** The greatest tag of a task begun so far. */
  begunMs: number | undefined;
  callers: Map<string, CallerLine>;
}

/** What `lua/order.lua` keeps in Redis. */
export interface OrderLine {
  epochMs: number;
  classes: Record<Priority, ClassLine>;
}

/** A place in the order: a time in ms, and the priority number that BullMQ gets for it. */
export interface Place {
  tagMs: number;
  jobPriority: number;
}

const highestJobPriority = 2_097_151;
const dayMs = 24 * 3_600_000;

/** The order of an empty queue, for requests that arrive at this time. */
export function emptyLine(rules: OrderRules, nowMs: number): OrderLine {
  const classLine = (): ClassLine => ({ waiting: 0, begunMs: undefined, callers: new Map() });
  return {
    epochMs: nowMs - rules.headStartMs.critical - rules.longestLagMs - dayMs,
    classes: { critical: classLine(), high: classLine(), medium: classLine(), low: classLine() },
  };
}

interface Arriving {
  priority: Priority;
  /** See `flowOf`. */
  flow: string;
  nowMs: number;
}

function callerIn(ofClass: ClassLine, flow: string): { caller: CallerLine; source: string } {
  const [name, source] = partsOfFlow(flow);
  const caller = ofClass.callers.get(name) ?? { nextMs: 0, turns: new Map<string, number>() };
  ofClass.callers.set(name, caller);
  return { caller, source };
}

function turnsBehind({ turns }: CallerLine, turnMs: number): number {
  return [...turns.values()].filter((other) => other > turnMs).length;
}

/** Where a fresh task of this class and flow would stand; the same reckoning as `next_tag` in `lua/order.lua`. */
export function nextPlace(line: OrderLine, rules: OrderRules, { priority, flow, nowMs }: Arriving): Place {
  const ofClass = line.classes[priority];
  const { intervalMs, stepMs } = rules;
  let tagMs = nowMs;
  if (intervalMs > 0 && ofClass.waiting > 0) {
    const { caller, source } = callerIn(ofClass, flow);
    const floorMs = floorIn(ofClass, caller, rules, { priority, nowMs });
    const turnMs = caller.turns.get(source) ?? 0;
    const others = turnsBehind(caller, Math.max(turnMs, floorMs));
    if (turnMs > floorMs) tagMs = turnMs + others * intervalMs;
    else tagMs = others === 0 ? floorMs : floorMs + others * intervalMs - stepMs;
  }
  return { tagMs, jobPriority: jobPriorityOf(line, rules, priority, tagMs) };
}

function floorIn(
  { begunMs }: ClassLine,
  { nextMs }: CallerLine,
  rules: OrderRules,
  { priority, nowMs }: Pick<Arriving, 'priority' | 'nowMs'>,
): number {
  return Math.max(begunMs ?? nowMs, nowMs - lagOf(rules, priority), nextMs);
}

/** Adds a task at this place to those that wait. */
export function takePlace(
  line: OrderLine,
  rules: OrderRules,
  { priority, flow, nowMs, tagMs }: Arriving & { tagMs: number },
): void {
  const ofClass = line.classes[priority];
  if (ofClass.waiting <= 0) {
    ofClass.callers.clear();
    ofClass.begunMs = nowMs;
  }
  ofClass.waiting += 1;
  if (rules.intervalMs === 0) return;
  const { caller, source } = callerIn(ofClass, flow);
  caller.turns.set(source, tagMs + rules.intervalMs);
}

/** A task is begun: its line has come as far as its tag. */
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

function jobPriorityOf({ epochMs }: OrderLine, rules: OrderRules, priority: Priority, tagMs: number): number {
  const jobPriority = Math.floor((tagMs - rules.headStartMs[priority] - epochMs) / rules.stepMs);
  return Math.max(1, Math.min(highestJobPriority, jobPriority));
}

/** A task in its place. */
export interface Waiting extends Place {
  priority: Priority;
  flow: string;
  arrivedAtMs: number;
  /** Counts the arrivals. */
  number: number;
  /** It has had its caller's turn, and keeps it. */
  hasPassed: boolean;
  /** The turn of its caller to which it stepped back. */
  steppedToMs: number | undefined;
}

/** A whole queue by these rules: lowest job priority first, within a job priority first come first served. */
export function createLine(rules: OrderRules, nowMs: number) {
  const line = emptyLine(rules, nowMs);
  const waiting: Waiting[] = [];
  let number = 0;

  /** Behind all of its job priority: binary search for the first of a greater one. */
  function insert(one: Waiting): void {
    let [low, high] = [0, waiting.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((waiting[middle]?.jobPriority ?? 0) <= one.jobPriority) low = middle + 1;
      else high = middle;
    }
    waiting.splice(low, 0, one);
  }

  /** The same as `lua/pass-turn.lua`: who is next has its caller's turn, or steps back to it. */
  function passTurns(): void {
    if (rules.intervalMs === 0) return;
    for (let first = waiting[0]; first && !first.hasPassed; first = waiting[0]) {
      const { caller } = callerIn(line.classes[first.priority], first.flow);
      if (first.steppedToMs === caller.nextMs || first.tagMs >= caller.nextMs - rules.stepMs) {
        caller.nextMs = Math.max(first.tagMs, caller.nextMs) + rules.intervalMs;
        first.hasPassed = true;
        return;
      }
      waiting.shift();
      first.steppedToMs = caller.nextMs;
      first.tagMs = caller.nextMs - 2 * rules.stepMs;
      first.jobPriority = jobPriorityOf(line, rules, first.priority, first.tagMs);
      insert(first);
    }
  }

  return {
    arrive(priority: Priority, flow: string, arrivedAtMs: number): Waiting {
      const arriving = { priority, flow, nowMs: arrivedAtMs };
      const place = nextPlace(line, rules, arriving);
      takePlace(line, rules, { ...arriving, tagMs: place.tagMs });
      const about = { priority, flow, arrivedAtMs, hasPassed: false, steppedToMs: undefined };
      const arrived = { ...place, ...about, number: number++ };
      insert(arrived);
      return arrived;
    },
    begin(): Waiting | undefined {
      passTurns();
      const next = waiting.shift();
      if (next) beginPlace(line, next);
      return next;
    },
  };
}
