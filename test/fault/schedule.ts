import type { Fault, Part } from './faults/fault.ts';
import { createRandom } from './random.ts';
import type { Random } from './random.ts';

/** One fault in an act. Its choices come from a seed of its own, so that it does the same whatever runs beside it. */
export interface PlannedFault {
  readonly fault: Fault;
  /** From the beginning of the act. */
  readonly afterMs: number;
  readonly seed: number;
}

/** Some faults at the same time, and then a calm. */
export interface Act {
  readonly faults: readonly PlannedFault[];
  readonly calmMs: number;
}

/** One item to be posted; its comment is added when it is. */
export interface PlannedItem {
  readonly machineId: string;
  readonly priority: 'critical' | 'high' | 'medium' | 'low';
}

export interface Arrival {
  /** After the one before it. */
  readonly afterMs: number;
  readonly items: readonly PlannedItem[];
}

/** Every given fault once, in random order, one to three at a time that break different parts. */
export function scheduleRound(random: Random, faults: readonly Fault[]): Act[] {
  const acts: Act[] = [];
  let left = random.shuffle(faults);
  while (left.length > 0) {
    const wanted = random.pick([1, 1, 2, 2, 3]);
    const taken: Fault[] = [];
    for (const fault of left) {
      if (taken.length < wanted && !taken.some((other) => breakTheSame(fault, other))) taken.push(fault);
    }
    left = left.filter((fault) => !taken.includes(fault));
    acts.push({
      faults: taken.map((fault, i) => plan(fault, i === 0 ? 0 : random.between(0, 2_000), random)),
      calmMs: random.between(500, 8_000),
    });
  }
  return acts;
}

export function plan(fault: Fault, afterMs: number, random: Random): PlannedFault {
  return { fault, afterMs, seed: random.between(0, 2 ** 31) };
}

function breakTheSame(one: Fault, other: Fault): boolean {
  return one.breaks.some((part: Part) => other.breaks.includes(part));
}

export interface ArrivalPlan {
  /** Tasks per second, on average, that the arrivals lead to. */
  readonly perSecond: number;
}

const mostItems = 4;
/** How many of the latest machines may be asked for again. */
const remembered = 12;

/**
 * Batches without end. Some machines come again soon, so that requests meet on one call, and some are unknown to
 * Defender, so that calls are refused for good.
 */
export function* scheduleArrivals(seed: number, { perSecond }: ArrivalPlan): Generator<Arrival, never> {
  const random = createRandom(seed);
  let recent: string[] = [];
  const machine = () => {
    if (recent.length > 0 && random.chance(0.25)) return random.pick(recent);
    const id = random.chance(0.08) ? `dead${random.hex(36)}` : `a${random.hex(39)}`;
    recent = [...recent, id].slice(-remembered);
    return id;
  };
  for (;;) {
    const count = random.between(1, mostItems);
    const items = Array.from({ length: count }, () => ({
      machineId: machine(),
      priority: random.pick(['critical', 'high', 'medium', 'medium', 'low'] as const),
    }));
    // About a quarter of the items joins a task that waits.
    yield { items, afterMs: Math.round(((0.5 + random.next()) * 0.75 * 1_000 * count) / perSecond) };
  }
}
