/** A request that is about to be accepted. Candidates are given in the order in which they would be. */
export type Candidate = Ranked | { machineId: string; aside: Aside };

interface Ranked {
  machineId: string;
  /** BullMQ's priority number that its dispatch would have. */
  rank: number;
  /** It joins a dispatch and moves it up: such tickets follow when all are added, so behind them within a rank. */
  lifts?: boolean;
}

/** What keeps a request out of the order: it shares an earlier investigation, or too many wait for its machine. */
export type Aside = { kind: 'reused'; with: string; investigationId: string } | { kind: 'full' };

/** The dispatch that is open for a machine. */
export interface OpenDispatch {
  id: string;
  /** Its first request. */
  first: string;
  rank: number;
  /** 1 is next; `undefined` while it has no place in the order: drawn, being called, or its ticket is missing. */
  position: number | undefined;
}

/** What the order looks like before anything is accepted. */
export interface OrderSnapshot {
  /** By machine. */
  open: ReadonlyMap<string, OpenDispatch>;
  /** By rank, for each rank among the candidates: how many tickets of this or a more urgent rank wait. */
  ahead: ReadonlyMap<number, number>;
}

/** Where a candidate would stand; `joins` is an open dispatch, or the candidate whose dispatch it would share. */
export type Place =
  | { kind: 'refused'; position: number | undefined }
  | (Aside & { position: undefined })
  | { kind: 'own'; position: number }
  | { kind: 'joins'; joins: OpenDispatch | { index: number }; position: number | undefined };

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
  /** Ranks of new dispatches, ascending as they come. */
  const added: number[] = [];
  /** Of dispatches that a more urgent request lifts: their new ranks, as they come, and their old ones, sorted. */
  const liftedTo: number[] = [];
  const liftedFrom: number[] = [];

  function placeFor(candidate: Ranked): number | undefined {
    const { machineId, rank } = candidate;
    if (positions.has(machineId)) return positions.get(machineId);
    const dispatch = open.get(machineId);
    if (dispatch && !isLifted(candidate, dispatch)) {
      if (dispatch.position === undefined) return undefined;
      const before = (ranks: readonly number[]) => countBelow(ranks, dispatch.rank);
      const passedIt = before(liftedTo) - countBelow(liftedFrom, dispatch.rank);
      return dispatch.position + before(added) + Math.max(0, passedIt);
    }
    // A dispatch that was lifted from a rank that `ahead` covers is counted there already.
    const cameFromBehind = liftedTo.length - countBelow(liftedFrom, rank + 1);
    return (ahead.get(rank) ?? 0) + added.length + Math.max(0, cameFromBehind) + 1;
  }

  return {
    placeFor,
    take(candidate: Ranked, position: number | undefined) {
      const { machineId, rank } = candidate;
      if (positions.has(machineId)) return;
      positions.set(machineId, position);
      const dispatch = open.get(machineId);
      if (!dispatch) added.push(rank);
      else if (isLifted(candidate, dispatch)) {
        liftedTo.push(rank);
        liftedFrom.splice(countBelow(liftedFrom, dispatch.rank), 0, dispatch.rank);
      }
    },
    positionOf: (machineId: string) => positions.get(machineId),
  };
}

function byPlace(a: Ranked, b: Ranked): number {
  return a.rank - b.rank || Number(a.lifts ?? false) - Number(b.lifts ?? false);
}

/** Whether a request is more urgent than the dispatch that it joins, and so takes it along. */
function isLifted({ rank }: Ranked, dispatch: OpenDispatch): boolean {
  return dispatch.position !== undefined && rank < dispatch.rank;
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
