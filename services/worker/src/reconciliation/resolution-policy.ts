import type { ResultKind, Wording } from '@diq/contracts/operations/profile.ts';
import type { UnresolvedOutcome, Settlement } from '@diq/queue/tasks/task-store.ts';
import type { ReconciliationOutcome } from '../observability/metrics.ts';
import type { Finding } from './finding.ts';

export interface ReconcileRules {
  /** For how long after the answer was lost Defender is asked, at least. */
  readonly graceMs: number;
  /** What a call without a trace means in the end: the request's end, or another call. */
  readonly onUnknown: 'fail' | 'retry';
}

/** What a profile says of results. */
export interface ResultForm {
  readonly resultKind: ResultKind;
  readonly wording: Wording;
}

/** What is known at one look. All times on Redis' clock. */
export interface Query {
  readonly unresolved: UnresolvedOutcome;
  /** Calls made for the task, this one included. */
  readonly calls: number;
  /** Since when it is not known what the last of them came to. */
  readonly unresolvedSinceMs: number;
  /** When the look began. */
  readonly nowMs: number;
  /** `undefined` when Defender's books could not be read: that is no look. */
  readonly finding: Finding | undefined;
  /** How long Defender, or our own restraint, wants no further read. */
  readonly retryAfterMs?: number | undefined;
  /** Why they could not be read, as the end of a sentence, where that is known and will not change. */
  readonly because?: string | undefined;
}

export type Step =
  | { readonly kind: 'reschedule_query'; readonly atMs: number }
  /** A call of its own, with a permit of its own. */
  | { readonly kind: 'call_again' }
  | {
      readonly kind: 'settle';
      readonly outcome: Exclude<ReconciliationOutcome, 'retried'>;
      readonly settlement: Settlement;
    };

/** Calls for one task whose answer is lost each time, the first included. */
export const maxCalls = 3;
/** Without a readable answer Defender is asked for this many times the grace, and then no more. */
const graceStretch = 10;
const firstQueryMs = 5_000;

/** From the loss of an answer until Defender is asked for the first time. */
export function firstQueryInMs(graceMs: number): number {
  return Math.min(firstQueryMs, graceMs / 10);
}

/**
 * The one place that decides what follows from a look. Only a result of our own ends the search early: while
 * Defender may still be about to show it, any other one would be the wrong answer. Pure.
 */
export function nextStep(query: Query, rules: ReconcileRules, form: ResultForm): Step {
  const { finding, unresolved } = query;
  const elapsedMs = query.nowMs - query.unresolvedSinceMs;
  if (finding?.kind === 'own' && finding.id !== undefined) return started('found', finding.id, form);
  // Nothing of our own is to come: the call was refused because of this one.
  if (finding?.kind === 'covering' && unresolved.cause === 'running') {
    return started('attached', idOf(finding), form);
  }
  const isOver = elapsedMs >= rules.graceMs * (finding === undefined ? graceStretch : 1);
  if (!isOver) return { kind: 'reschedule_query', atMs: nextQueryAtMs(query, rules) };
  if (finding === undefined || finding.kind === 'nothing') return withoutTrace(query, rules, form.wording);
  return started(finding.kind === 'own' ? 'found' : 'attached', idOf(finding), form);
}

/** Each wait twice as long as the one before, the last look at the end of the grace; after that in steady steps. */
function nextQueryAtMs(
  { unresolvedSinceMs, nowMs, retryAfterMs = 0 }: Query,
  { graceMs }: ReconcileRules,
): number {
  const elapsedMs = nowMs - unresolvedSinceMs;
  const usualMs =
    elapsedMs < graceMs
      ? Math.min(graceMs, Math.max(2 * elapsedMs, elapsedMs + firstQueryInMs(graceMs)))
      : elapsedMs + graceMs / 10;
  return unresolvedSinceMs + Math.min(Math.max(usualMs, elapsedMs + retryAfterMs), graceStretch * graceMs);
}

/** The alert's id is as good as the investigation's: Defender finds it by either. */
function idOf({ id, alertId }: Exclude<Finding, { kind: 'nothing' }>): string {
  return id ?? alertId ?? '';
}

function started(outcome: 'found' | 'attached', id: string, { resultKind }: ResultForm): Step {
  const attached = outcome === 'attached' ? { attached: true } : {};
  return {
    kind: 'settle',
    outcome,
    settlement: { status: 'started', result: { kind: resultKind, id }, ...attached, attempts: 0 },
  };
}

/**
 * Defender shows nothing. After an error it answered with, that means that nothing was done. After a lost answer it
 * proves nothing, and where its books could not be read at all it means nothing either.
 */
function withoutTrace(
  { unresolved, calls, finding, because }: Query,
  { onUnknown }: ReconcileRules,
  { noun }: Wording,
): Step {
  const wasRead = finding !== undefined;
  const { cause } = unresolved;
  if (cause === 'running') return ended('failed', unresolved, 'Defender shows none of this machine.');
  // An error that Defender answers to all calls is not this one's, however often it meets it.
  if (cause === 'failed' && wasRead) return { kind: 'call_again' };
  const isItsOwn = cause === 'failed_alone' && wasRead;
  if (onUnknown === 'retry' && !isItsOwn && calls < maxCalls) return { kind: 'call_again' };
  const notAsked = `Defender could not be asked${because === undefined ? '' : `, because ${because}`}`;
  const shows = wasRead ? `Defender shows no ${noun} of it` : notAsked;
  const times = calls === 1 ? 'It was called once' : `It was called ${calls} times`;
  return ended(isItsOwn ? 'failed' : 'unknown', unresolved, `${shows}. ${times}.`);
}

function ended(outcome: 'failed' | 'unknown', { error }: UnresolvedOutcome, addition: string): Step {
  const settlement: Settlement = {
    status: outcome,
    error: { ...error, message: `${error.message} ${addition}` },
    attempts: 0,
  };
  return { kind: 'settle', outcome, settlement };
}
