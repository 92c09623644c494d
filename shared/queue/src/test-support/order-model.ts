import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import { partsOfFlow } from '../scheduling/order.ts';
import type { OrderRules } from '../scheduling/order.ts';

/** One caller in a class. */
interface CallerState {
  /** The virtual start at which its next task is claimed at the earliest. */
  nextStartMs: number;
  /** Source → the virtual start that its next task gets at the earliest. */
  starts: Map<string, number>;
}

export interface ClassState {
  /** Tasks of it that wait. */
  waiting: number;
  /** The greatest virtual start of a task begun so far. */
  virtualTimeMs: number | undefined;
  callers: Map<string, CallerState>;
}

/** What `lua/lib/order.lua` keeps in Redis. */
export interface OrderState {
  epochMs: number;
  classes: Record<Priority, ClassState>;
}

/** A place in the order: a time in ms, and the priority number that BullMQ gets for it. */
export interface Place {
  virtualStartMs: number;
  jobPriority: number;
}

const highestJobPriority = 2_097_151;
const dayMs = 24 * 3_600_000;

/** The order of an empty queue, for requests that arrive at this time. */
export function emptyOrder(rules: OrderRules, nowMs: number): OrderState {
  const classState = (): ClassState => ({ waiting: 0, virtualTimeMs: undefined, callers: new Map() });
  return {
    epochMs: nowMs - rules.headStartMs.critical - rules.maxLagMs - dayMs,
    classes: { critical: classState(), high: classState(), medium: classState(), low: classState() },
  };
}

interface Arriving {
  priority: Priority;
  /** See `flowOf`. */
  flow: string;
  nowMs: number;
}

function callerIn(ofClass: ClassState, flow: string): { caller: CallerState; source: string } {
  const [name, source] = partsOfFlow(flow);
  const caller = ofClass.callers.get(name) ?? { nextStartMs: 0, starts: new Map<string, number>() };
  ofClass.callers.set(name, caller);
  return { caller, source };
}

function startsBehind({ starts }: CallerState, startMs: number): number {
  return [...starts.values()].filter((other) => other > startMs).length;
}

/** Where a fresh task of this class and flow would stand; the same reckoning as `next_virtual_start` in `lua/lib/order.lua`. */
export function nextPlace(order: OrderState, rules: OrderRules, { priority, flow, nowMs }: Arriving): Place {
  const ofClass = order.classes[priority];
  const { intervalMs, stepMs } = rules;
  let virtualStartMs = nowMs;
  if (intervalMs > 0 && ofClass.waiting > 0) {
    const { caller, source } = callerIn(ofClass, flow);
    const floorMs = floorIn(ofClass, caller, rules, { priority, nowMs });
    const startMs = caller.starts.get(source) ?? 0;
    const others = startsBehind(caller, Math.max(startMs, floorMs));
    if (startMs > floorMs) virtualStartMs = startMs + others * intervalMs;
    else virtualStartMs = others === 0 ? floorMs : floorMs + others * intervalMs - stepMs;
  }
  return { virtualStartMs, jobPriority: jobPriorityOf(order, rules, priority, virtualStartMs) };
}

function floorIn(
  { virtualTimeMs }: ClassState,
  { nextStartMs }: CallerState,
  rules: OrderRules,
  { priority, nowMs }: Pick<Arriving, 'priority' | 'nowMs'>,
): number {
  return Math.max(virtualTimeMs ?? nowMs, nowMs - lagOf(rules, priority), nextStartMs);
}

/** Adds a task at this place to those that wait. */
export function takePlace(
  order: OrderState,
  rules: OrderRules,
  { priority, flow, nowMs, virtualStartMs }: Arriving & { virtualStartMs: number },
): void {
  const ofClass = order.classes[priority];
  if (ofClass.waiting <= 0) {
    ofClass.callers.clear();
    ofClass.virtualTimeMs = nowMs;
  }
  ofClass.waiting += 1;
  if (rules.intervalMs === 0) return;
  const { caller, source } = callerIn(ofClass, flow);
  caller.starts.set(source, virtualStartMs + rules.intervalMs);
}

/** A task is begun: the virtual time of its class has come as far as its virtual start. */
export function beginPlace(
  order: OrderState,
  { priority, virtualStartMs }: { priority: Priority; virtualStartMs: number },
): void {
  const ofClass = order.classes[priority];
  ofClass.waiting -= 1;
  ofClass.virtualTimeMs = Math.max(ofClass.virtualTimeMs ?? virtualStartMs, virtualStartMs);
}

/** How far behind its arrival a virtual start of this class may lie: a newcomer stays behind the next class's. */
export function lagOf({ headStartMs, maxLagMs, stepMs }: OrderRules, priority: Priority): number {
  const moreUrgent = priorities[priorities.indexOf(priority) - 1];
  if (moreUrgent === undefined) return maxLagMs;
  const gapMs = headStartMs[moreUrgent] - headStartMs[priority] - stepMs;
  return Math.max(0, Math.min(maxLagMs, gapMs));
}

function jobPriorityOf(
  { epochMs }: OrderState,
  rules: OrderRules,
  priority: Priority,
  virtualStartMs: number,
): number {
  const jobPriority = Math.floor((virtualStartMs - rules.headStartMs[priority] - epochMs) / rules.stepMs);
  return Math.max(1, Math.min(highestJobPriority, jobPriority));
}

/** A task in its place. */
export interface Waiting extends Place {
  priority: Priority;
  flow: string;
  arrivedAtMs: number;
  /** Counts the arrivals. */
  number: number;
  /** Its caller is charged for it. */
  isCharged: boolean;
  /** The next start of its caller to which it was deferred. */
  deferredToMs: number | undefined;
}

/** A whole queue by these rules: lowest job priority first, within a job priority first come first served. */
export function createOrderModel(rules: OrderRules, nowMs: number) {
  const order = emptyOrder(rules, nowMs);
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

  /** The same as `lua/charge-flow.lua`: the next one is charged to its caller, or deferred. */
  function chargeFlows(): void {
    if (rules.intervalMs === 0) return;
    for (let first = waiting[0]; first && !first.isCharged; first = waiting[0]) {
      const { caller } = callerIn(order.classes[first.priority], first.flow);
      if (
        first.deferredToMs === caller.nextStartMs ||
        first.virtualStartMs >= caller.nextStartMs - rules.stepMs
      ) {
        caller.nextStartMs = Math.max(first.virtualStartMs, caller.nextStartMs) + rules.intervalMs;
        first.isCharged = true;
        return;
      }
      waiting.shift();
      first.deferredToMs = caller.nextStartMs;
      first.virtualStartMs = caller.nextStartMs - 2 * rules.stepMs;
      first.jobPriority = jobPriorityOf(order, rules, first.priority, first.virtualStartMs);
      insert(first);
    }
  }

  return {
    arrive(priority: Priority, flow: string, arrivedAtMs: number): Waiting {
      const arriving = { priority, flow, nowMs: arrivedAtMs };
      const place = nextPlace(order, rules, arriving);
      takePlace(order, rules, { ...arriving, virtualStartMs: place.virtualStartMs });
      const about = { priority, flow, arrivedAtMs, isCharged: false, deferredToMs: undefined };
      const arrived = { ...place, ...about, number: number++ };
      insert(arrived);
      return arrived;
    },
    begin(): Waiting | undefined {
      chargeFlows();
      const next = waiting.shift();
      if (next) beginPlace(order, next);
      return next;
    },
  };
}
