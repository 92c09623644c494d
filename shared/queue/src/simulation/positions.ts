/** A request that is about to be accepted. Candidates are given in the order in which they would be. */
export type Candidate = Ranked | { machineId: string; aside: Aside };

interface Ranked {
  machineId: string;
  /** BullMQ's priority number that its task would have. */
  rank: number;
  /** It joins a task and moves it up: such jobs follow when all are added, so behind them within a rank. */
  promotes?: boolean;
}

/** What keeps a request out of the order: it shares an earlier investigation, or too many wait for its machine. */
export type Aside = { kind: 'reused'; with: string; investigationId: string } | { kind: 'full' };

/** The task that is open for a machine. */
export interface OpenTask {
  id: string;
  /** Its first request. */
  first: string;
  rank: number;
  /** 1 is next; `undefined` while it has no place in the order: claimed, being called, or its job is missing. */
  position: number | undefined;
}

/** What the order looks like before anything is accepted. */
export interface OrderSnapshot {
  /** By machine. */
  open: ReadonlyMap<string, OpenTask>;
  /** By rank, for each rank among the candidates: how many jobs of this or a more urgent rank wait. */
  ahead: ReadonlyMap<number, number>;
}

/** Where a candidate would stand; `joins` is an open task, or the candidate whose task it would share. */
export type Place =
  | { kind: 'refused'; position: number | undefined }
  | (Aside & { position: undefined })
  | { kind: 'own'; position: number }
  | { kind: 'joins'; joins: OpenTask | { index: number }; position: number | undefined };

/**
 * Where each candidate would stand in the order if all were accepted now, with those before it in the same POST counted.
 * `isRefused` is asked for each by the place it would get, the most urgent first: who is refused stands in nobody's way.
 */
export function placeInOrder(
  candidates: readonly Candidate[],
  snapshot: OrderSnapshot,
  isRefused: (index: number, position: number | undefined) => boolean = () => false,
): Place[] {
  const line = createLine(snapshot);
  const byUrgency = candidates
    .flatMap((candidate, index) => ('rank' in candidate ? [{ candidate, index }] : []))
    .toSorted((a, b) => byPlace(a.candidate, b.candidate) || a.index - b.index);
  const refused = new Map<number, number | undefined>();
  for (const { candidate, index } of byUrgency) {
    const position = line.placeFor(candidate);
    if (isRefused(index, position)) refused.set(index, position);
    else line.take(candidate, position);
  }

  const firstFor = new Map<string, number>();
  return candidates.map((candidate, index): Place => {
    if ('aside' in candidate) return { ...candidate.aside, position: undefined };
    const { machineId } = candidate;
    if (refused.has(index)) return { kind: 'refused', position: refused.get(index) };
    const position = line.positionOf(machineId);
    const open = snapshot.open.get(machineId);
    const first = firstFor.get(machineId);
    if (open) return { kind: 'joins', joins: open, position };
    if (first !== undefined) return { kind: 'joins', joins: { index: first }, position };
    firstFor.set(machineId, index);
    return { kind: 'own', position: position ?? 1 };
  });
}

/** The order as it fills. Candidates come to it by rank, so whoever was put in stands before whoever comes now. */
function createLine({ open, ahead }: OrderSnapshot) {
  const positions = new Map<string, number | undefined>();
  /** Ranks of new tasks, ascending as they come. */
  const added: number[] = [];
  /** Of tasks that a more urgent request promotes: their new ranks, as they come, and their old ones, sorted. */
  const promotedTo: number[] = [];
  const promotedFrom: number[] = [];

  function placeFor(candidate: Ranked): number | undefined {
    const { machineId, rank } = candidate;
    if (positions.has(machineId)) return positions.get(machineId);
    const task = open.get(machineId);
    if (task && !isPromoted(candidate, task)) {
      if (task.position === undefined) return undefined;
      const before = (ranks: readonly number[]) => countBelow(ranks, task.rank);
      const passedIt = before(promotedTo) - countBelow(promotedFrom, task.rank);
      return task.position + before(added) + Math.max(0, passedIt);
    }
    // A task that was promoted from a rank that `ahead` covers is counted there already.
    const cameFromBehind = promotedTo.length - countBelow(promotedFrom, rank + 1);
    return (ahead.get(rank) ?? 0) + added.length + Math.max(0, cameFromBehind) + 1;
  }

  return {
    placeFor,
    take(candidate: Ranked, position: number | undefined) {
      const { machineId, rank } = candidate;
      if (positions.has(machineId)) return;
      positions.set(machineId, position);
      const task = open.get(machineId);
      if (!task) added.push(rank);
      else if (isPromoted(candidate, task)) {
        promotedTo.push(rank);
        promotedFrom.splice(countBelow(promotedFrom, task.rank), 0, task.rank);
      }
    },
    positionOf: (machineId: string) => positions.get(machineId),
  };
}

function byPlace(a: Ranked, b: Ranked): number {
  return a.rank - b.rank || Number(a.promotes ?? false) - Number(b.promotes ?? false);
}

/** Whether a request is more urgent than the task that it joins, and so takes it along. */
function isPromoted({ rank }: Ranked, task: OpenTask): boolean {
  return task.position !== undefined && rank < task.rank;
}

/** How many of these ascending numbers are less than this one. */
export function countBelow(ascending: readonly number[], bound: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? Infinity) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
