import type { ReplayedCall } from './replay.ts';
import { investigationHours } from './replay-world.ts';
import type { Trace, TraceRequest } from './trace-request.ts';

/** How long a request waited until its machine was investigated, in hours of the trace. */
export interface Wait {
  request: TraceRequest;
  hours: number;
  /** It had not begun at the end: it is at least so long. */
  isOpen: boolean;
}

/** What a call brought, but for those answered 429, which cost no slot. */
export type SlotUse = 'used' | 'unknown_machine' | 'already_running';

const secondsPerHour = 3_600;
const runsSeconds = investigationHours * secondsPerHour;

const isStart = ({ status }: ReplayedCall) => status === 200 || status === 201;

/** Whether a slot can do anything for it: Defender knows the machine, and no other program had just begun. */
const needsSlot = ({ machine }: TraceRequest) => machine === 'known' || machine === 'offline';

/**
 * The waits of those requests for which a slot can do something, by the calls that arrived at Defender alone. A request is
 * served by the first investigation of its machine that runs when it arrives or begins later, from any caller.
 */
export function waitsOf({ requests, hours }: Trace, calls: readonly ReplayedCall[]): Wait[] {
  const starts = startsByMachine(requests, calls);
  const endSeconds = hours * secondsPerHour;
  return requests.filter(needsSlot).map((request) => {
    const { atSeconds, machineId } = request;
    const served = starts.get(machineId)?.find((at) => at > atSeconds - runsSeconds);
    const waitSeconds = Math.max(0, (served ?? endSeconds) - atSeconds);
    return { request, hours: waitSeconds / secondsPerHour, isOpen: served === undefined };
  });
}

/** The waits until the first machine of each incident, from its first request for one that can be investigated. */
export function firstOfIncidents(waits: readonly Wait[]): Wait[] {
  const firsts = new Map<string, { firstSeconds: number; servedSeconds: number; wait: Wait }>();
  for (const wait of waits) {
    const { incident, atSeconds } = wait.request;
    const servedSeconds = atSeconds + wait.hours * secondsPerHour;
    const known = firsts.get(incident);
    if (!known) firsts.set(incident, { firstSeconds: atSeconds, servedSeconds, wait });
    else if (servedSeconds < known.servedSeconds)
      firsts.set(incident, { ...known, servedSeconds, wait: { ...wait, request: known.wait.request } });
  }
  return [...firsts.values()].map(({ firstSeconds, servedSeconds, wait }) => ({
    ...wait,
    hours: (servedSeconds - firstSeconds) / secondsPerHour,
  }));
}

/** What each slot went to. */
export function slotUses({ requests }: Trace, calls: readonly ReplayedCall[]): Record<SlotUse, number> {
  const uses = { used: 0, unknown_machine: 0, already_running: 0 };
  const running = new Map<string, number[]>();
  const others = othersStarts(requests);
  for (const call of calls) {
    const { atSeconds, machineId, status } = call;
    if (status === 404) uses.unknown_machine += 1;
    if (!isStart(call)) continue;
    const before = [...(running.get(machineId) ?? []), ...(others.get(machineId) ?? [])];
    const isRunning = before.some((at) => at < atSeconds && at > atSeconds - runsSeconds);
    uses[isRunning ? 'already_running' : 'used'] += 1;
    running.set(machineId, [...(running.get(machineId) ?? []), atSeconds]);
  }
  return uses;
}

/** By machine when investigations of it began, in order: by these calls, or by another program. */
function startsByMachine(
  requests: readonly TraceRequest[],
  calls: readonly ReplayedCall[],
): Map<string, number[]> {
  const starts = othersStarts(requests);
  for (const { machineId, atSeconds } of calls.filter(isStart)) {
    starts.set(machineId, [...(starts.get(machineId) ?? []), atSeconds]);
  }
  for (const times of starts.values()) times.sort((a, b) => a - b);
  return starts;
}

function othersStarts(requests: readonly TraceRequest[]): Map<string, number[]> {
  const starts = new Map<string, number[]>();
  for (const { machine, machineId, atSeconds } of requests) {
    if (machine === 'under_investigation')
      starts.set(machineId, [...(starts.get(machineId) ?? []), atSeconds]);
  }
  return starts;
}
