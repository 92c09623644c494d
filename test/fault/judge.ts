import { judgeIdle } from './judge-idle.ts';
import type { PastFault } from './judge-idle.ts';
import { isLostInLag } from './lag.ts';
import type { Lag } from './lag.ts';
import type { AcknowledgedRequest } from './load.ts';
import type { IdleStretch } from './observer.ts';
import type { MadeInvestigation, WireCall } from './simulator-log.ts';

export const rules = [
  'window',
  'double',
  'blind-repeat',
  'uncoalesced',
  'lost',
  'unsettled',
  'changed',
  'wrong-investigation',
  'idle',
  'crash',
] as const;

export type Rule = (typeof rules)[number];

export interface Violation {
  readonly rule: Rule;
  readonly text: string;
}

/** The state of a request, from the API or read in Redis. */
export interface RequestState {
  readonly id: string;
  readonly machineId: string;
  readonly comment: string;
  readonly status: string;
  readonly investigationId?: string | undefined;
  /** The investigation covers the machine, and is not claimed to be the one that was asked for. */
  readonly attached?: boolean | undefined;
  /** The first request of the task that this one joined. */
  readonly coalescedWith?: string | undefined;
}

export interface Evidence {
  readonly limit: number;
  readonly windowMs: number;
  /** How long Defender has to show an investigation, before a call that it answered with an error is made again. */
  readonly reconcileGraceMs: number;
  readonly calls: readonly WireCall[];
  readonly investigations: readonly MadeInvestigation[];
  readonly acknowledged: readonly AcknowledgedRequest[];
  /** By request id, as the API shows it at the end; a request it does not know is missing. */
  readonly documents: ReadonlyMap<string, RequestState>;
  /** Every request that stands in Redis at the end, also those whose callers received no answer. */
  readonly recorded: readonly RequestState[];
  /** Terminal states as they were first seen, at some moment of the run. */
  readonly seenTerminal: readonly RequestState[];
  readonly idle: readonly IdleStretch[];
  readonly faults: readonly PastFault[];
  readonly crashes: readonly string[];
  /** Requests whose POST began before this time may be gone: everything was erased. 0 for never. */
  readonly forgottenUntilMs: number;
  /** Requests that were accepted and gone before everything was erased. */
  readonly lostBeforeErasing: readonly string[];
  /** What was accepted within one of these may be gone, and nothing else: a replica that lagged took its primary's place. */
  readonly lags: readonly Lag[];
}

/** What was promised and not kept. Pure: it sees the evidence and nothing else. */
export function judge(evidence: Evidence): Violation[] {
  return [
    ...judgeWindows(evidence),
    ...judgeRepeats(evidence),
    ...judgeCoalescing(evidence),
    ...judgeRequests(evidence),
    ...judgeInvestigations(evidence),
    ...judgeIdle(evidence).map((text) => ({ rule: 'idle' as const, text })),
    ...evidence.crashes.map((text) => ({ rule: 'crash' as const, text })),
  ];
}

/** Every window that begins with a call, counted call by call. All calls weigh, whatever they were answered. */
function judgeWindows({ calls, limit, windowMs }: Evidence): Violation[] {
  const inOrder = calls.toSorted((a, b) => a.atMs - b.atMs);
  return inOrder.flatMap(({ atMs: fromMs, at }, first) => {
    const end = inOrder.findIndex(({ atMs }, i) => i > first && atMs >= fromMs + windowMs);
    const within = inOrder.slice(first, end < 0 ? undefined : end);
    if (within.length <= limit) return [];
    const each = within.map((call) => describeCall(call, fromMs)).join('; ');
    const text = `${within.length} calls in the window that begins at ${at}: ${each}`;
    return [{ rule: 'window' as const, text }];
  });
}

/** For the search in the logs of the workers. */
function describeCall({ atMs, status, answeredAtMs, comment, machineId }: WireCall, fromMs: number): string {
  const answered = answeredAtMs === undefined ? 'never' : `${Math.round(answeredAtMs - atMs)} ms later`;
  return `+${Math.round(atMs - fromMs)} ms ${status}, answered ${answered}, "${comment ?? machineId}"`;
}

/**
 * The comment of a call is that of the first request of its task, and no other request has the same. So calls with
 * one comment are calls for one intent, even when everything in Redis is gone. Proven for each: at most one made an
 * investigation; and a call follows another only if that one was answered, made none, and was either not let in (401,
 * 403, 429, or what a gateway or an absent route answers) or failed (5xx) so long ago that Defender would show it. A lost answer says nothing, so nothing may follow
 * it, whether or not an investigation was made; and any other answer is an end, but that the first one may have broken off
 * on its way behind its status, which cannot be seen here: a refusal may be met once more, in the same words.
 * Not proven for calls that broke off before their comment had arrived; those made no investigation.
 */
function judgeRepeats({ calls, reconcileGraceMs }: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const [comment, ofIntent] of byComment(calls)) {
    const made = ofIntent.filter(({ investigationId }) => investigationId !== undefined);
    if (made.length > 1) {
      found.push({
        rule: 'double',
        text: `${made.length} investigations for "${comment}": ${tell(ofIntent)}`,
      });
    } else if (
      ofIntent.some(
        (call, i) =>
          i > 0 &&
          !(i === 1 && isRefusedAgain(ofIntent[0], call)) &&
          !mayFollow(ofIntent[i - 1], call, reconcileGraceMs),
      )
    ) {
      found.push({ rule: 'blind-repeat', text: `repeated blindly for "${comment}": ${tell(ofIntent)}` });
    }
  }
  return found;
}

/**
 * Two tasks for one machine are right only one after the other. A request whose caller had its 202 before another
 * call for the machine even arrived was recorded while that call's task was open, and had to join it.
 */
function judgeCoalescing({ calls, acknowledged, forgottenUntilMs }: Evidence): Violation[] {
  const acknowledgedAtMs = new Map(
    acknowledged.map((request) => [request.comment, request.acknowledgedAtMs]),
  );
  const postedAtMs = new Map(acknowledged.map((request) => [request.comment, request.postedAtMs]));
  const found: Violation[] = [];
  const before = new Map<string, WireCall>();
  for (const call of calls) {
    const earlier = before.get(call.machineId);
    before.set(call.machineId, call);
    if (!earlier || earlier.comment === call.comment) continue;
    const tooEarlyMs = acknowledgedAtMs.get(call.comment ?? '') ?? Number.POSITIVE_INFINITY;
    const isForgotten =
      (postedAtMs.get(earlier.comment ?? '') ?? 0) <= forgottenUntilMs && forgottenUntilMs > 0;
    if (!isForgotten && tooEarlyMs < Date.parse(earlier.at)) {
      found.push({ rule: 'uncoalesced', text: `${call.machineId}: ${tell([earlier, call])}` });
    }
  }
  return found;
}

/** Requests that are missing and count as no loss: they were accepted within the lag of a replica. */
export function excusedLosses({ acknowledged, documents, lags }: Evidence): AcknowledgedRequest[] {
  return acknowledged.filter((request) => !documents.has(request.id) && isLostInLag(request, lags));
}

const terminal = new Set(['started', 'failed', 'unknown', 'cancelled', 'expired']);

export function isTerminal({ status }: Pick<RequestState, 'status'>): boolean {
  return terminal.has(status);
}

function judgeRequests(evidence: Evidence): Violation[] {
  const { acknowledged, documents, recorded, seenTerminal, forgottenUntilMs, lostBeforeErasing, lags } =
    evidence;
  const found: Violation[] = lostBeforeErasing.map((id) => ({
    rule: 'lost',
    text: `${id} was accepted and gone before everything was erased`,
  }));
  for (const request of acknowledged) {
    const document = documents.get(request.id);
    if (document?.machineId === request.machineId && document.comment === request.comment) continue;
    if (!document && (request.postedAtMs <= forgottenUntilMs || isLostInLag(request, lags))) continue;
    found.push({ rule: 'lost', text: `${request.id} ("${request.comment}") was accepted and is not there` });
  }
  for (const request of new Map([...recorded.map((r) => [r.id, r] as const), ...documents]).values()) {
    if (!isTerminal(request)) {
      found.push({
        rule: 'unsettled',
        text: `${request.id} ("${request.comment}") is still ${request.status}`,
      });
    }
  }
  const atEnd = new Map([...recorded.map((r) => [r.id, r] as const), ...documents]);
  for (const seen of seenTerminal) {
    const now = atEnd.get(seen.id);
    if (!now || (now.status === seen.status && now.investigationId === seen.investigationId)) continue;
    found.push({ rule: 'changed', text: `${seen.id} was ${outcomeOf(seen)} and is ${outcomeOf(now)}` });
  }
  return found;
}

/**
 * `started` names an investigation that exists and is of this machine: the one that the call of this very task made,
 * unless the request says that it is attached to another.
 */
function judgeInvestigations({ calls, investigations, documents, recorded }: Evidence): Violation[] {
  const machineOf = new Map(investigations.map(({ id, machineId }) => [id, machineId]));
  const madeFor = new Map(calls.map((call) => [call.investigationId, call.comment]));
  const all = new Map([...recorded.map((r) => [r.id, r] as const), ...documents]);
  return [...all.values()].flatMap((request): Violation[] => {
    if (request.status !== 'started') return [];
    const { id, investigationId = 'none', machineId } = request;
    const intent = (all.get(request.coalescedWith ?? '') ?? request).comment;
    const isGone = request.coalescedWith !== undefined && !all.has(request.coalescedWith);
    if (machineOf.get(investigationId) !== machineId) {
      return [{ rule: 'wrong-investigation', text: `${id}: ${investigationId} is none of ${machineId}` }];
    }
    if (isGone || request.attached === true || madeFor.get(investigationId) === intent) return [];
    const whose = madeFor.get(investigationId);
    return [
      { rule: 'wrong-investigation', text: `${id} ("${intent}") has ${investigationId} of "${whose}"` },
    ];
  });
}

function byComment(calls: readonly WireCall[]): Map<string, WireCall[]> {
  const groups = new Map<string, WireCall[]>();
  for (const call of calls) {
    if (call.comment === undefined) continue;
    const group = groups.get(call.comment);
    if (group) group.push(call);
    else groups.set(call.comment, [call]);
  }
  return groups;
}

function isRefusedAgain(first: WireCall | undefined, call: WireCall): boolean {
  return first?.status === call.status && (call.status === 400 || call.status === 404);
}

const notLetIn = new Set<WireCall['status']>([302, 401, 403, 405, 410, 429, 431]);

function mayFollow(earlier: WireCall | undefined, call: WireCall, graceMs: number): boolean {
  if (earlier === undefined) return true;
  const { status, answeredAtMs, investigationId, paged } = earlier;
  if (investigationId !== undefined || typeof status !== 'number' || answeredAtMs === undefined) return false;
  // The grace begins when the answer is there, which is later than the arrival that is seen here.
  // A refusal without Defender's own document may be that of anything in between.
  if (paged === true && status >= 400 && status < 500) return true;
  return notLetIn.has(status) || (status >= 500 && call.atMs - earlier.atMs >= graceMs);
}

function tell(calls: readonly WireCall[]): string {
  return calls
    .map(
      ({ at, status, investigationId, comment }) => `${at} ${status} ${investigationId ?? '-'} "${comment}"`,
    )
    .join('; ');
}

function outcomeOf({ status, investigationId }: RequestState): string {
  return `${status} ${investigationId ?? ''}`.trim();
}
