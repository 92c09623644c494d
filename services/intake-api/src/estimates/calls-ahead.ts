import type { Ahead } from '@diq/contracts/placement.ts';
import { priorities, type Priority } from '@diq/contracts/priority.ts';
import type { Counted, OrderSample } from '@diq/queue/scheduling/queue-order.ts';

const maxSources = 5;

/** What goes before the call at this place (1 is next), of all before it. */
export function countAhead(tasks: readonly Counted[], position: number): Ahead {
  return describe(
    tasks.slice(0, position - 1).map((task) => ({ ...task, weight: 1 })),
    { calls: position - 1, isEstimate: false },
  );
}

/** The same by a sample: exact among the first ones, as far as nothing has changed since. */
export function estimateAhead(
  { head, rest, distance }: OrderSample,
  position: number,
  { isOld = false } = {},
): Ahead {
  const calls = position - 1;
  const before = [
    ...head.slice(0, calls).map((task) => ({ ...task, weight: 1 })),
    ...rest.filter(({ rank }) => rank < calls).map((task) => ({ ...task, weight: distance })),
  ];
  // One more or less than is ahead was there when the sample was taken, or went meanwhile.
  const isExact = !isOld && before.length === calls && (calls <= head.length || distance === 1);
  return describe(before, { calls, isEstimate: !isExact });
}

function describe(
  tasks: readonly (Counted & { weight: number })[],
  { calls, isEstimate }: { calls: number; isEstimate: boolean },
): Ahead {
  const sum = tasks.reduce((total, { weight }) => total + weight, 0);
  const scale = sum === 0 ? 0 : calls / sum;
  const [classes, sources] = [new Map<Priority, number>(), new Map<string | null, number>()];
  for (const { priority, source = null, weight } of tasks) {
    classes.set(priority, (classes.get(priority) ?? 0) + weight * scale);
    sources.set(source, (sources.get(source) ?? 0) + weight * scale);
  }
  const byPriority = wholeParts(priorities.map((one) => [one, classes.get(one) ?? 0]));
  const bySource = wholeParts([...sources])
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
