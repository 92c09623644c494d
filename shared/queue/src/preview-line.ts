import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import type { OrderRules } from './order.ts';

/** How far the line of a class is, as `lua/order.lua` keeps it. */
export interface Line {
  waiting: number;
  begunMs: number | undefined;
  /** Whose turn → the tag that the next dispatch gets at the earliest. Only what is asked for need be there. */
  turns: Map<string, number>;
}

export interface Lines {
  /** `undefined`: the scale of the ranks begins anew. */
  epochMs: number | undefined;
  lines: ReadonlyMap<Priority, Line>;
}

/** A dispatch's place as far as its rank goes. */
export interface Standing {
  priority: Priority;
  tagMs: number;
  rank: number;
}

/** Gives ranks as `lua/order.lua` would, to one request after the other, and writes nothing. */
export interface PreviewLine {
  /** For a request that gets a dispatch of its own. */
  enter(priority: Priority, turnOf: string): Standing;
  /** For a request that joins a dispatch: where that stands afterwards. */
  lift(standing: Standing, priority: Priority, turnOf: string): Standing;
}

const dayMs = 24 * 3_600_000;
const highestRank = 2_097_151;

export function createPreviewLine(rules: OrderRules, { epochMs, lines }: Lines, nowMs: number): PreviewLine {
  const { headStartMs, intervalMs, stepMs, longestLagMs } = rules;
  const beginsAtMs = epochMs ?? nowMs - headStartMs.critical - longestLagMs - dayMs;

  function rankOf(priority: Priority, tagMs: number): number {
    const rank = Math.floor((tagMs - headStartMs[priority] - beginsAtMs) / stepMs);
    return Math.max(1, Math.min(highestRank, rank));
  }

  function lagOf(priority: Priority): number {
    const moreUrgent = priorities[priorities.indexOf(priority) - 1];
    if (moreUrgent === undefined) return longestLagMs;
    const gapMs = headStartMs[moreUrgent] - headStartMs[priority] - stepMs;
    return Math.max(0, Math.min(longestLagMs, gapMs));
  }

  function nextTag(priority: Priority, turnOf: string): number {
    const line = lines.get(priority);
    if (intervalMs === 0 || !line) return nowMs;
    if (line.waiting <= 0) {
      line.turns.clear();
      line.begunMs = nowMs;
      return nowMs;
    }
    return Math.max(line.begunMs ?? nowMs, nowMs - lagOf(priority), line.turns.get(turnOf) ?? 0);
  }

  function takeTurn(priority: Priority, turnOf: string, tagMs: number): void {
    lines.get(priority)?.turns.set(turnOf, tagMs + intervalMs);
  }

  function countWaiting(priority: Priority, by: number): void {
    const line = lines.get(priority);
    if (line) line.waiting += by;
  }

  return {
    enter(priority, turnOf) {
      const tagMs = nextTag(priority, turnOf);
      takeTurn(priority, turnOf, tagMs);
      countWaiting(priority, 1);
      return { priority, tagMs, rank: rankOf(priority, tagMs) };
    },
    lift(old, priority, turnOf) {
      const freshMs = nextTag(priority, turnOf);
      const oldPlaceMs = old.tagMs - headStartMs[old.priority];
      const placeMs = Math.min(freshMs - headStartMs[priority], oldPlaceMs);
      if (placeMs < oldPlaceMs) takeTurn(priority, turnOf, freshMs);
      const isMoreUrgent = priorities.indexOf(priority) < priorities.indexOf(old.priority);
      const lifted = isMoreUrgent ? priority : old.priority;
      const tagMs = placeMs + headStartMs[lifted];
      if (isMoreUrgent) {
        countWaiting(old.priority, -1);
        countWaiting(lifted, 1);
      }
      return { priority: lifted, tagMs, rank: Math.min(old.rank, rankOf(lifted, tagMs)) };
    },
  };
}
