import type { Ahead } from '@diq/contracts/placement.ts';
import { priorities, type Priority } from '@diq/contracts/priority.ts';
import type { Counted, OrderSample } from '@diq/queue/scheduling/queue-order.ts';

const maxSources = 5;

/** What goes before the call at this place (1 is next), of all before it. */
export function countAhead(tasks: readonly Counted[], position: number): Ahead {
  const calls = position - 1;
  const before = createTally();
  for (const task of tasks.slice(0, calls)) count(before, task, 1);
  return describe(before, { calls, isEstimate: false });
}

/** The same by a sample: exact among the first ones, as far as nothing has changed since. */
export function estimateAhead(
  { head, rest, distance }: OrderSample,
  position: number,
  { isOld = false } = {},
): Ahead {
  const calls = position - 1;
  const before = createTally();
  // Some hundred for each request that is asked for: they are counted where they are.
  for (const task of head) {
    if (before.tasks === calls) break;
    count(before, task, 1);
  }
  for (const task of rest) if (task.rank < calls) count(before, task, distance);
  // One more or less than is ahead was there when the sample was taken, or went meanwhile.
  const isExact = !isOld && before.tasks === calls && (calls <= head.length || distance === 1);
  return describe(before, { calls, isEstimate: !isExact });
}

interface Tally {
  tasks: number;
  weight: number;
  classes: Map<Priority, number>;
  sources: Map<string | null, number>;
}

const createTally = (): Tally => ({ tasks: 0, weight: 0, classes: new Map(), sources: new Map() });

function count(tally: Tally, task: Counted, weight: number): void {
  const { priority } = task;
  const source = task.source ?? null;
  tally.tasks += 1;
  tally.weight += weight;
  tally.classes.set(priority, (tally.classes.get(priority) ?? 0) + weight);
  tally.sources.set(source, (tally.sources.get(source) ?? 0) + weight);
}

function describe(
  { classes, sources, weight }: Tally,
  { calls, isEstimate }: { calls: number; isEstimate: boolean },
): Ahead {
  const scale = weight === 0 ? 0 : calls / weight;
  const byPriority = wholeParts(priorities.map((one) => [one, (classes.get(one) ?? 0) * scale]));
  const bySource = wholeParts([...sources].map(([source, part]) => [source, part * scale] as const))
    .toSorted(([a, one], [b, other]) => other - one || (a ?? '').localeCompare(b ?? ''))
    .map(([source, count]) => ({ source, calls: count }));
  return {
    calls,
    byPriority: Object.fromEntries(byPriority) as Record<Priority, number>,
    bySource: bySource.slice(0, maxSources),
    otherSources: bySource.slice(maxSources).reduce((total, one) => total + one.calls, 0),
    isEstimate,
  };
}

/** Whole numbers whose sum is that of the parts, each less than one away from its own. */
function wholeParts<Name>(parts: readonly (readonly [Name, number])[]): [Name, number][] {
  let [sum, given] = [0, 0];
  return parts.map(([name, part]) => {
    sum += part;
    const whole = Math.round(sum) - given;
    given += whole;
    return [name, whole];
  });
}
