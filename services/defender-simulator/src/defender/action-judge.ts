import type { ActionRecord } from './machine-actions.ts';

/** Types that must not act on a machine at once: contrary ones, and what a machine does one of at a time. */
const families: Readonly<Record<string, readonly string[]>> = {
  isolation: ['Isolate', 'Unisolate'],
  codeExecution: ['RestrictCodeExecution', 'UnrestrictCodeExecution'],
  liveResponse: ['LiveResponse'],
};

/** An action as the judge sees it; the times by the wall clock, ISO 8601. */
export interface JudgedAction {
  id: string;
  type: string;
  comment: string;
  acceptedAt: string;
  /** `null` while it has not ended. */
  endedAt: string | null;
}

export interface MachineSequence {
  machineId: string;
  family: string;
  /** In the order in which Defender accepted them. */
  actions: JudgedAction[];
}

/** A call that was accepted before the action before it had ended. */
export interface Overtaking {
  machineId: string;
  family: string;
  first: JudgedAction;
  second: JudgedAction;
}

export interface ActionJudgement {
  sequences: MachineSequence[];
  overtakings: Overtaking[];
  /** The most actions of each type that were under way at once, pending ones included. */
  mostAtOnce: Record<string, number>;
}

type Judged = Pick<ActionRecord, 'id' | 'type' | 'comment' | 'machine' | 'createdWallMs' | 'end'>;

/** What a limiter and an order on machines are judged by. `actions` in the order in which they were accepted. */
export function judgeActions(actions: readonly Judged[]): ActionJudgement {
  const sequences = new Map<string, MachineSequence>();
  const overtakings: Overtaking[] = [];
  const furthest = new Map<string, Judged>();
  for (const action of actions) {
    const family = Object.keys(families).find((name) => families[name]?.includes(action.type));
    if (family === undefined) continue;
    const machineId = action.machine.id;
    const key = `${family} ${machineId}`;
    const sequence = sequences.get(key) ?? { machineId, family, actions: [] };
    sequences.set(key, sequence);
    sequence.actions.push(shown(action));
    // Against the one that ends last: it need not be the one that came last.
    const before = furthest.get(key);
    if (before !== undefined && endMs(before) > action.createdWallMs)
      overtakings.push({ machineId, family, first: shown(before), second: shown(action) });
    if (before === undefined || endMs(action) >= endMs(before)) furthest.set(key, action);
  }
  return { sequences: [...sequences.values()], overtakings, mostAtOnce: mostAtOnce(actions) };
}

function endMs({ end }: Judged): number {
  return end?.atWallMs ?? Infinity;
}

function shown(action: Judged): JudgedAction {
  const { id, type, comment, createdWallMs, end } = action;
  return {
    id,
    type,
    comment,
    acceptedAt: new Date(createdWallMs).toISOString(),
    endedAt: end === undefined ? null : new Date(end.atWallMs).toISOString(),
  };
}

function mostAtOnce(actions: readonly Judged[]): Record<string, number> {
  const changes = actions.flatMap((action) => [
    { type: action.type, atMs: action.createdWallMs, by: 1 },
    { type: action.type, atMs: endMs(action), by: -1 },
  ]);
  // At the same moment the end comes first.
  const ordered = changes.toSorted((one, other) => compare(one.atMs, other.atMs) || one.by - other.by);
  const now: Record<string, number> = {};
  const most: Record<string, number> = {};
  for (const { type, by } of ordered) {
    now[type] = (now[type] ?? 0) + by;
    most[type] = Math.max(most[type] ?? 0, now[type]);
  }
  return most;
}

/** Without a difference of two infinities. */
function compare(one: number, other: number): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
