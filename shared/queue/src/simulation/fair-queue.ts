import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import type { OrderRules } from '../scheduling/order.ts';
import { countBelow } from './positions.ts';

/** How far the line of a class is for one caller, as `lua/order.lua` keeps it. */
export interface Line {
  waiting: number;
  begunMs: number | undefined;
  /** The caller's turn. */
  nextMs: number;
  /** Source, '' for none → the tag that its next task gets at the earliest; at least those behind `floorOf`. */
  turns: Map<string, number>;
}

export interface Lines {
  /** `undefined`: the scale of the ranks begins anew. */
  epochMs: number | undefined;
  lines: ReadonlyMap<Priority, Line>;
}

/** A task's place as far as its rank goes. */
export interface Standing {
  priority: Priority;
  tagMs: number;
  rank: number;
}

/** Gives ranks as `lua/order.lua` would, to one request of a caller after the other, and writes nothing. */
export interface PreviewLine {
  /** For a request that gets a task of its own. */
  enter(priority: Priority, source: string): Standing;
  /** For a request that joins a task: where that stands afterwards. */
  promote(standing: Standing, priority: Priority, source: string): Standing;
}

const dayMs = 24 * 3_600_000;
const highestRank = 2_097_151;

export function createPreviewLine(rules: OrderRules, { epochMs, lines }: Lines, nowMs: number): PreviewLine {
  const { headStartMs, intervalMs, stepMs } = rules;
  const beginsAtMs = epochMs ?? nowMs - headStartMs.critical - rules.longestLagMs - dayMs;

  function rankOf(priority: Priority, tagMs: number): number {
    const rank = Math.floor((tagMs - headStartMs[priority] - beginsAtMs) / stepMs);
    return Math.max(1, Math.min(highestRank, rank));
  }

  /** By class, the turns of all sources, ascending. */
  const sorted = new Map(
    [...lines].map(([priority, { turns }]) => [priority, [...turns.values()].toSorted((a, b) => a - b)]),
  );

  function countBehind(priority: Priority, turnMs: number): number {
    const turns = sorted.get(priority) ?? [];
    return turns.length - countBelow(turns, turnMs + 1);
  }

  function nextTag(priority: Priority, source: string): number {
    const line = lines.get(priority);
    if (intervalMs === 0 || !line) return nowMs;
    if (line.waiting <= 0) {
      line.turns.clear();
      sorted.set(priority, []);
      Object.assign(line, { begunMs: nowMs, nextMs: 0 });
    }
    const floorMs = floorOf(rules, priority, line, nowMs);
    const turnMs = line.turns.get(source) ?? 0;
    if (turnMs > floorMs) return turnMs + countBehind(priority, turnMs) * intervalMs;
    const others = countBehind(priority, floorMs);
    return others === 0 ? floorMs : floorMs + others * intervalMs - stepMs;
  }

  function takeTurn(priority: Priority, source: string, tagMs: number): void {
    const line = lines.get(priority);
    if (intervalMs === 0 || !line) return;
    const turns = sorted.get(priority) ?? [];
    const oldMs = line.turns.get(source);
    if (oldMs !== undefined) turns.splice(countBelow(turns, oldMs), 1);
    const newMs = tagMs + intervalMs;
    turns.splice(countBelow(turns, newMs), 0, newMs);
    line.turns.set(source, newMs);
  }

  function countWaiting(priority: Priority, by: number): void {
    const line = lines.get(priority);
    if (line) line.waiting += by;
  }

  return {
    enter(priority, source) {
      const tagMs = nextTag(priority, source);
      takeTurn(priority, source, tagMs);
      countWaiting(priority, 1);
      return { priority, tagMs, rank: rankOf(priority, tagMs) };
    },
    promote(old, priority, source) {
      const freshMs = nextTag(priority, source);
      const oldPlaceMs = old.tagMs - headStartMs[old.priority];
      const placeMs = Math.min(freshMs - headStartMs[priority], oldPlaceMs);
      if (placeMs < oldPlaceMs) takeTurn(priority, source, freshMs);
      const isMoreUrgent = priorities.indexOf(priority) < priorities.indexOf(old.priority);
      const promoted = isMoreUrgent ? priority : old.priority;
      const tagMs = placeMs + headStartMs[promoted];
      if (isMoreUrgent) {
        countWaiting(old.priority, -1);
        countWaiting(promoted, 1);
      }
      return { priority: promoted, tagMs, rank: Math.min(old.rank, rankOf(promoted, tagMs)) };
    },
  };
}

/** The tag before which no new one of the caller lies: where the line is, or its turn. */
export function floorOf(
  rules: OrderRules,
  priority: Priority,
  { begunMs, nextMs }: Pick<Line, 'begunMs' | 'nextMs'>,
  nowMs: number,
): number {
  return Math.max(begunMs ?? nowMs, nowMs - lagOf(rules, priority), nextMs);
}

/** How far behind its arrival a tag of this class may lie. */
function lagOf({ headStartMs, longestLagMs, stepMs }: OrderRules, priority: Priority): number {
  const moreUrgent = priorities[priorities.indexOf(priority) - 1];
  if (moreUrgent === undefined) return longestLagMs;
  const gapMs = headStartMs[moreUrgent] - headStartMs[priority] - stepMs;
  return Math.max(0, Math.min(longestLagMs, gapMs));
}
