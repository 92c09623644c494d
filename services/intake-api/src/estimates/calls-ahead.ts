import type { Ahead } from '@diq/contracts/placement.ts';
import { priorities, type Priority } from '@diq/contracts/priority.ts';
import type { Counted, OrderSample } from '@diq/queue/scheduling/queue-order.ts';

const maxSources = 5;

/** Tasks of one class and source. */
interface Alike {
  priority: Priority;
  source: string | null;
  weight: number;
}

/** What goes before the call at this place (1 is next), of all before it. */
export function countAhead(tasks: readonly Counted[], position: number): Ahead {
  const calls = position - 1;
  const before = tasks
    .slice(0, calls)
    .map(({ priority, source }): Alike => ({ priority, source: source ?? null, weight: 1 }));
  return describe(before, { calls, isEstimate: false });
}

/**
 * The same by a sample: exact among the first ones, as far as nothing has changed since. A sample is asked by each request that is
 * read, and looks for the place among tasks that are alike instead of counting them anew.
 */
export function createEstimate({ head, rest, distance }: OrderSample) {
  const kinds = new Map<string, Omit<Alike, 'weight'> & { inHead: number; ranks: number[] }>();
  const kindOf = ({ priority, source }: Counted) => {
    const key = JSON.stringify([priority, source]);
    const kind = kinds.get(key) ?? { priority, source: source ?? null, inHead: 0, ranks: [] };
    kinds.set(key, kind);
    return kind;
  };
  for (const [rank, task] of head.entries()) {
    const kind = kindOf(task);
    kind.ranks.push(rank);
    kind.inHead += 1;
  }
  for (const task of rest) kindOf(task).ranks.push(task.rank);
  return (position: number, { isOld = false } = {}): Ahead => {
    const calls = position - 1;
    let sampled = 0;
    const before = [...kinds.values()].map(({ priority, source, inHead, ranks }): Alike => {
      const found = countBelow(ranks, calls);
      const exactly = Math.min(found, inHead);
      sampled += found;
      return { priority, source, weight: exactly + (found - exactly) * distance };
    });
    // One more or less than is ahead was there when the sample was taken, or went meanwhile.
    const isExact = !isOld && sampled === calls && (calls <= head.length || distance === 1);
    return describe(before, { calls, isEstimate: !isExact });
  };
}

/** How many of these, which rise, are smaller. */
function countBelow(rising: readonly number[], limit: number): number {
  let [from, to] = [0, rising.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((rising[middle] as number) < limit) from = middle + 1;
    else to = middle;
  }
  return from;
}

function describe(
  before: readonly Alike[],
  { calls, isEstimate }: { calls: number; isEstimate: boolean },
): Ahead {
  const sum = before.reduce((total, { weight }) => total + weight, 0);
  const scale = sum === 0 ? 0 : calls / sum;
  const [classes, sources] = [new Map<Priority, number>(), new Map<string | null, number>()];
  for (const { priority, source, weight } of before) {
    if (weight === 0) continue;
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
