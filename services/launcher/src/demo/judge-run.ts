import { expectedCalls, type ExpectedOutcome } from './expect-outcomes.ts';
import type { AnsweredItem, SettledItem } from './intake-client.ts';
import type { StartCall } from './simulator-control.ts';

/** Everything that is known after a run. */
export interface FinishedRun {
  readonly expected: readonly ExpectedOutcome[];
  readonly atTheDoor: readonly AnsweredItem[];
  readonly inTheEnd: readonly SettledItem[];
  /** As they arrived at Defender, in order. */
  readonly calls: readonly StartCall[];
  readonly limit: number;
  readonly windowMs: number;
}

/** `faults`: each in one line; none when everything ended as it must. */
export interface Verdict {
  readonly faults: readonly string[];
  /** The most calls that arrived within any one window. */
  readonly mostInAnyWindow: number;
}

const seenBefore = 'machine_unknown';
/** By a look ahead of the call, or by the call where a slot was free at once. */
const unknownMachine = [seenBefore, 'machine_not_found'];

/** Compares the answers to callers and the calls that arrived at Defender with what the file must lead to. */
export function judgeRun(run: FinishedRun): Verdict {
  const mostInAnyWindow = mostWithin(
    run.calls.map((call) => call.atMs),
    run.windowMs,
  );
  const faults = [
    ...(mostInAnyWindow > run.limit
      ? [`${mostInAnyWindow} calls arrived within ${run.windowMs} ms, allowed are ${run.limit}`]
      : []),
    ...run.expected.flatMap((expected, index) => judgeItem(run, expected, index)),
    ...judgeCalls(run),
  ];
  return { faults, mostInAnyWindow };
}

function judgeItem(run: FinishedRun, expected: ExpectedOutcome, index: number): string[] {
  const door = run.atTheDoor.find((item) => item.index === index);
  const end = run.inTheEnd.find((item) => item.index === index);
  const wrong = (what: string) => [`item ${index + 1} ${what}`];
  if (!door || !end) return wrong('is missing from the answers');

  const wanted = wantedStatus(expected);
  if (door.status !== wanted.atTheDoor) return wrong(`was ${door.status}, expected ${wanted.atTheDoor}`);
  if (end.status !== wanted.inTheEnd) return wrong(`ended as ${end.status}, expected ${wanted.inTheEnd}`);
  if (expected.kind === 'rejected') return [];
  if (expected.kind === 'unknown-machine') {
    const code = end.error?.code ?? 'no error';
    return unknownMachine.includes(code)
      ? []
      : wrong(`failed with ${code}, expected ${unknownMachine.join(' or ')}`);
  }
  return judgeStarted(run, expected, end).flatMap(wrong);
}

/** A started item has the id that Defender gave its machine, which its companions have too. */
function judgeStarted(
  run: FinishedRun,
  expected: Exclude<ExpectedOutcome, { kind: 'rejected' }>,
  { investigationId }: SettledItem,
): string[] {
  if (investigationId === undefined) return ['started without an investigation id'];
  if (!investigationsOf(run, expected.machineId).includes(investigationId)) {
    return [`has investigation ${investigationId}, which Defender did not start for its machine`];
  }
  if (expected.with === undefined) return [];
  const companion = run.inTheEnd.find((item) => item.index === expected.with)?.investigationId;
  if (companion === investigationId) return [];
  return [
    `has investigation ${investigationId}, item ${expected.with + 1} for the same machine ${companion}`,
  ];
}

function judgeCalls(run: FinishedRun): string[] {
  const faults: string[] = [];
  // Defender was asked before the call.
  const spared = run.expected.filter((expected, index) => {
    const isOwnCall = expected.kind !== 'rejected' && expected.with === undefined;
    return isOwnCall && run.inTheEnd.find((item) => item.index === index)?.error?.code === seenBefore;
  });
  const wanted = expectedCalls(run.expected) - spared.length;
  if (run.calls.length !== wanted)
    faults.push(`${run.calls.length} calls arrived at Defender, expected ${wanted}`);
  const machines = new Set(run.calls.map((call) => call.machineId));
  for (const machineId of machines) {
    const ids = investigationsOf(run, machineId);
    if (ids.length > 1) faults.push(`machine ${machineId} has ${ids.length} investigations, expected one`);
  }
  const throttled = run.calls.filter((call) => call.status === 429).length;
  if (throttled > 0) faults.push(`Defender refused ${throttled} calls for coming too early`);
  return faults;
}

function investigationsOf({ calls }: FinishedRun, machineId: string): string[] {
  return calls.flatMap((call) => (call.machineId === machineId ? (call.investigationId ?? []) : []));
}

function wantedStatus(expected: ExpectedOutcome) {
  if (expected.kind === 'rejected') return { atTheDoor: 'rejected', inTheEnd: 'rejected' };
  return {
    atTheDoor: expected.with === undefined ? 'accepted' : 'coalesced',
    inTheEnd: expected.kind === 'started' ? 'started' : 'failed',
  };
}

/** The window is half open: two calls exactly one window apart never share one. */
export function mostWithin(timesMs: readonly number[], windowMs: number): number {
  const counts = timesMs.map(
    (startMs) => timesMs.filter((atMs) => atMs >= startMs && atMs < startMs + windowMs).length,
  );
  return Math.max(0, ...counts);
}
