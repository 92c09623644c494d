import type { MadeAction, WireRead } from '../simulator-log.ts';
import type { AskedRequest, Delivered, ShownRequest, Truth } from './asked.ts';

export const resultRules = [
  'lost',
  'unsettled',
  'open-result',
  'ended-early',
  'wrong-outcome',
  'changed-outcome',
  'another-machine',
  'double',
  'callback-missing',
  'callback-twice',
  'callback-wrong',
  'reads',
  'crash',
] as const;

export interface ResultViolation {
  readonly rule: (typeof resultRules)[number] | 'overtaken' | 'order';
  readonly text: string;
}

export interface ResultEvidence {
  readonly asked: readonly AskedRequest[];
  /** At the end, by request id. */
  readonly shown: ReadonlyMap<string, ShownRequest>;
  /** At some moments of the run, with what was true right after each. */
  readonly samples: readonly { readonly shown: ShownRequest; readonly truth: string | undefined }[];
  readonly truth: Truth;
  readonly actions: readonly MadeAction[];
  /** `undefined` where none were asked for. */
  readonly delivered: readonly Delivered[] | undefined;
  readonly reads: readonly WireRead[];
  /** Reads of a tenant that the service may make, by window. */
  readonly readLimits: readonly { readonly calls: number; readonly windowMs: number }[];
  readonly crashes: readonly string[];
}

const ends = new Set(['started', 'failed', 'unknown', 'cancelled', 'expired']);
/** Defender's own reads of other programs are none here, and links have limits of their own. */
const isOfBudget = ({ read }: WireRead) => !/link|uri/i.test(read);

/** What was promised of results and not kept. Pure: it sees the evidence and nothing else. */
export function judgeResults(evidence: ResultEvidence): ResultViolation[] {
  return [
    ...evidence.asked.flatMap((request) => judgeRequest(request, evidence)),
    ...judgeSamples(evidence),
    ...judgeDoubles(evidence),
    ...(evidence.delivered ? judgeCallbacks(evidence, evidence.delivered) : []),
    ...judgeReads(evidence),
    ...evidence.crashes.map((text) => ({ rule: 'crash' as const, text })),
  ];
}

function judgeRequest(request: AskedRequest, { shown, truth }: ResultEvidence): ResultViolation[] {
  const about = `${request.id} (${request.operation}, "${request.comment}")`;
  const found = shown.get(request.id);
  if (!found) return [{ rule: 'lost', text: `${about} was accepted and is not there` }];
  if (!ends.has(found.status)) return [{ rule: 'unsettled', text: `${about} is still ${found.status}` }];
  const { result } = found;
  if (found.status !== 'started' || !result) return [];
  const really = truth.get(result.id);
  if (really?.machineId !== request.machineId)
    return [{ rule: 'another-machine', text: `${about}: ${result.id} is none of ${request.machineId}` }];
  if (result.outcome === undefined || result.outcome === 'running')
    return [
      {
        rule: 'open-result',
        text: `${about}: ${result.id} is ${really.outcome ?? 'running'} and shown as running`,
      },
    ];
  if (result.outcome === really.outcome) return [];
  return [
    {
      rule: 'wrong-outcome',
      text: `${about}: ${result.id} is ${really.outcome}, shown as ${result.outcome}`,
    },
  ];
}

/** An end is shown once it is true, and then for good. */
function judgeSamples({ samples }: ResultEvidence): ResultViolation[] {
  const seen = new Map<string, string>();
  const found: ResultViolation[] = [];
  for (const { shown, truth } of samples) {
    const outcome = shown.result?.outcome;
    const before = seen.get(shown.id);
    if (before !== undefined && outcome !== before)
      found.push({ rule: 'changed-outcome', text: `${shown.id} was ${before} and became ${outcome}` });
    if (outcome === undefined || outcome === 'running' || before !== undefined) continue;
    seen.set(shown.id, outcome);
    if (truth !== outcome)
      found.push({
        rule: 'ended-early',
        text: `${shown.id}: ${shown.result?.id} was shown as ${outcome} while it was ${truth ?? 'running'}`,
      });
  }
  return found;
}

/** Each comment is of one request, and stands first in the comment of the one action that is made for it. */
function judgeDoubles({ asked, actions }: ResultEvidence): ResultViolation[] {
  const made = new Map<string, number>();
  for (const { requestorComment } of actions) {
    const comment = intentOf(requestorComment);
    made.set(comment, (made.get(comment) ?? 0) + 1);
  }
  return asked
    .filter(({ comment }) => (made.get(comment) ?? 0) > 1)
    .map(({ comment }) => ({ rule: 'double', text: `${made.get(comment)} actions for "${comment}"` }));
}

/** The comment of the first request that an action was made for. */
export function intentOf(requestorComment: string): string {
  return (requestorComment.split('\n')[0] ?? '').replace(/ \[diq:[^\]]*\]$/, '');
}

function judgeCallbacks(
  { asked, shown }: ResultEvidence,
  delivered: readonly Delivered[],
): ResultViolation[] {
  const byRequest = new Map<string, Delivered[]>();
  for (const one of delivered) byRequest.set(one.requestId, [...(byRequest.get(one.requestId) ?? []), one]);
  return asked.flatMap(({ id, comment }): ResultViolation[] => {
    const request = shown.get(id);
    if (!request || !ends.has(request.status)) return [];
    const all = byRequest.get(id) ?? [];
    const ofEnd = all.filter(({ type }) => type === 'request.ended');
    const news = all.filter(({ type }) => type !== 'request.ended');
    const outcome = request.result?.outcome;
    const wanted = outcome === undefined ? 0 : 1;
    const about = `${id} ("${comment}")`;
    const found: ResultViolation[] = [];
    const count = (some: readonly Delivered[]) => new Set(some.map(({ deliveryId }) => deliveryId)).size;
    if (count(ofEnd) < wanted) found.push({ rule: 'callback-missing', text: `${about}: no request.ended` });
    if (count(news) < 1)
      found.push({ rule: 'callback-missing', text: `${about}: none of its status ${request.status}` });
    if (count(ofEnd) > wanted || count(news) > 1)
      found.push({
        rule: 'callback-twice',
        text: `${about}: ${all.map((one) => one.deliveryId).join(', ')}`,
      });
    for (const one of ofEnd)
      if (one.outcome !== outcome)
        found.push({ rule: 'callback-wrong', text: `${about}: ended as ${one.outcome}, is ${outcome}` });
    for (const { type } of news)
      if (!type.endsWith(`.${request.status}`))
        found.push({ rule: 'callback-wrong', text: `${about}: ${type}, is ${request.status}` });
    return found;
  });
}

/** Every window that begins with a read, counted read by read. */
function judgeReads({ reads, readLimits }: ResultEvidence): ResultViolation[] {
  const times = reads.filter(isOfBudget).map(({ atMs }) => atMs);
  return readLimits.flatMap(({ calls, windowMs }): ResultViolation[] => {
    const most = mostWithin(times, windowMs);
    return most <= calls
      ? []
      : [{ rule: 'reads', text: `${most} reads within ${windowMs} ms, of which ${calls} may be used` }];
  });
}

/** The greatest number of these times in any window of this length. */
export function mostWithin(times: readonly number[], windowMs: number): number {
  const sorted = times.toSorted((one, other) => one - other);
  let most = 0;
  let last = 0;
  for (const [first, fromMs] of sorted.entries()) {
    while (last < sorted.length && (sorted[last] ?? 0) < fromMs + windowMs) last += 1;
    most = Math.max(most, last - first);
  }
  return most;
}
