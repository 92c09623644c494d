import type { Wording } from '@diq/contracts/operations/profile.ts';
import type { HoldReason } from '@diq/quota/ledger/answers-and-holds.ts';
import type { RefusalRule, Verdict } from '@diq/quota/ledger/ledger.ts';
import type { RequestError } from '@diq/contracts/request-document.ts';
import type { UnresolvedOutcome, Settlement } from '@diq/queue/tasks/task-store.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import type { ErrorDetails } from '../defender/read-error-details.ts';
import type { NotSentReason } from '../defender/single-use-connection.ts';

/** How long the queue is on hold after an outcome: as long as Defender asked, or longer with each failure in a row. */
export type HoldLength = { forMs: number } | 'growing';

/** What an outcome means for the requests of the task, for its permit, and for all other calls. */
export interface OutcomePolicy {
  /**
   * `settle` is final; `give_back` returns the task to its place with its attempts untouched; `reconcile` looks
   * up in Defender's lists what the call started.
   */
  requests:
    | { kind: 'settle'; settlement: Settlement }
    | { kind: 'give_back' }
    | { kind: 'reconcile'; unresolved: UnresolvedOutcome };
  /** `spent` unless the call provably never left. */
  permit: 'spent' | 'unspent';
  hold?: { reason: HoldReason; length: HoldLength };
  /** For a refusal that may concern all calls or this request alone: the rule that decides, and what follows if it is its own. */
  refusal?: { rule: RefusalRule; ifOwn: OutcomePolicy['requests'] };
}

/** What follows for the requests by the ledger's verdict on the refusal. */
export function requestsBy(
  verdict: Verdict,
  { requests, refusal }: OutcomePolicy,
): OutcomePolicy['requests'] {
  return verdict === 'own' && refusal ? refusal.ifOwn : requests;
}

/**
 * Three slots at most for a request that is refused while others are not. The first refusal may concern all
 * calls, and so may the second, before others were answered well; the third is its own.
 */
const refusedRule: RefusalRule = {
  sort: 'refused',
  count: 3,
  calls: 3,
  proof: 1,
  asideFrom: 1,
  asideFor: 1,
};
/** The first 401 cost a slot already, to see whether a new token helps. */
const tokenRule: RefusalRule = { ...refusedRule, count: 2, calls: 2 };
/**
 * Another program that uses the quota can affect one call and spare the next. So a throttled request keeps its place at
 * first, is set aside only by the second 429 in a row, and ends by the third if three others were answered well meanwhile
 * and none was throttled.
 */
const throttledRule: RefusalRule = {
  sort: 'throttled',
  count: 2,
  calls: 3,
  proof: 3,
  asideFrom: 2,
  asideFor: 3,
};
/** It is looked up first, which sets it aside for long enough. */
const failedRule: RefusalRule = { ...refusedRule, asideFrom: Number.MAX_SAFE_INTEGER };

const heldGrowing = (reason: HoldReason) => ({ reason, length: 'growing' as const });

/**
 * The one place that decides what follows from an outcome. Pure, so that a successor can repeat it after a crash.
 *
 * @param wording of the operation that was called
 */
export function policyFor(outcome: CallOutcome, wording: Wording): OutcomePolicy {
  switch (outcome.kind) {
    case 'started':
      return final({ status: 'started', result: outcome.result, attempts: 1 });
    case 'machine_not_found':
      return final(failed(outcome, 'machine_not_found', 'Defender does not know this machine.'));
    case 'refused':
      return final(failed(outcome, 'request_refused', `Defender refused to start the ${wording.noun}.`));
    case 'already_running':
      return alreadyRunning(outcome, wording);
    case 'unknown':
    case 'server_error':
    case 'timeout':
    case 'connection_lost':
      return outcomeUnknown(outcome, wording);
    case 'throttled':
      return refused(outcome, throttledRule, { reason: 'throttled', length: lengthOf(outcome.retryAfterMs) });
    case 'not_allowed': {
      const rule = outcome.reason === 'token_rejected' ? tokenRule : refusedRule;
      return refused(outcome, rule, heldGrowing('not_allowed'));
    }
    case 'disabled':
    case 'endpoint_unusable':
    case 'retired':
      return refused(outcome, refusedRule, heldGrowing(outcome.kind));
    case 'token_rejected':
      // One more try with a new token, in its old place and with a permit of its own.
      return waits('spent');
    case 'not_sent':
      return waits('unspent', holdUnsent(outcome.reason));
    default:
      return outcome satisfies never;
  }
}

function final(settlement: Settlement): OutcomePolicy {
  return { requests: { kind: 'settle', settlement }, permit: 'spent' };
}

/** What the answer names runs for another call, and is not made twice. What it does not name is looked up. */
function alreadyRunning(
  outcome: Extract<CallOutcome, { kind: 'already_running' }>,
  { one }: Wording,
): OutcomePolicy {
  const { running } = outcome;
  if (running?.covers === true) {
    const result = { kind: running.kind, id: running.id };
    return final({ status: 'started', result, attached: true, attempts: 1 });
  }
  const what = `Defender says that ${one} of this machine is already under way.`;
  return lookedUp({ cause: 'running', error: errorOf(outcome, 'already_running', what) });
}

function lookedUp(unresolved: UnresolvedOutcome, hold?: OutcomePolicy['hold']): OutcomePolicy {
  return { requests: { kind: 'reconcile', unresolved }, permit: 'spent', ...(hold && { hold }) };
}

function waits(permit: OutcomePolicy['permit'], hold?: OutcomePolicy['hold']): OutcomePolicy {
  return { requests: { kind: 'give_back' }, permit, ...(hold && { hold }) };
}

/** All tasks wait, and none is failed, unless it turns out that this request alone is refused. */
function refused(outcome: ErrorDetails, rule: RefusalRule, hold: OutcomePolicy['hold']): OutcomePolicy {
  const what = `Defender refuses the call for this machine (HTTP ${outcome.status}) while it takes those for others.`;
  const settlement = failed(outcome, 'call_refused', what);
  return { ...waits('spent', hold), refusal: { rule, ifOwn: { kind: 'settle', settlement } } };
}

/** What stopped this call stops every other one: they share token, settings, address and network. */
function holdUnsent(reason: NotSentReason): OutcomePolicy['hold'] {
  if (reason === 'send_deadline_passed' || reason === 'shutdown') return undefined;
  if (reason === 'no_token') return heldGrowing('no_token');
  return heldGrowing(reason === 'invalid_request' ? 'endpoint_unusable' : 'unreachable');
}

/** "Again at once" is no length: each try costs a permit, and nothing would slow them down. */
function lengthOf(retryAfterMs = 0): HoldLength {
  return retryAfterMs > 0 ? { forMs: retryAfterMs } : 'growing';
}

/**
 * What was asked for may run, so Defender is asked for it before anything else is done. While Defender fails, the next
 * call would most likely end the same way and leave another request unresolved: all wait, longer each time.
 */
function outcomeUnknown(
  outcome: Extract<CallOutcome, { kind: 'unknown' | 'server_error' | 'timeout' | 'connection_lost' }>,
  wording: Wording,
): OutcomePolicy {
  const error = { ...unknownBecause(outcome, wording), ...targetOf(outcome) };
  const hold = isShutdown(outcome) ? undefined : holdAfterFailure(outcome);
  const lost = { cause: 'lost', error } as const;
  // Of these only an answered error, and what is no answer of Defender's, can mean that nothing was done.
  const isAnother = outcome.kind === 'unknown' && outcome.isForeign === true;
  if (outcome.kind !== 'server_error' && !isAnother) return lookedUp(lost, hold);
  // Such an answer that meets this one alone may have hidden Defender's.
  const unresolvedIfOwn = isAnother ? lost : ({ cause: 'failed_alone', error } as const);
  const ifOwn = { kind: 'reconcile', unresolved: unresolvedIfOwn } as const;
  return { ...lookedUp({ cause: 'failed', error }, hold), refusal: { rule: failedRule, ifOwn } };
}

function holdAfterFailure(outcome: CallOutcome): OutcomePolicy['hold'] {
  // Another's answer where Defender's should be says that the address is not Defender's.
  if (outcome.kind === 'unknown') return outcome.isForeign ? heldGrowing('endpoint_unusable') : undefined;
  const asked = outcome.kind === 'server_error' ? outcome.retryAfterMs : undefined;
  return { reason: 'failing', length: lengthOf(asked) };
}

function isShutdown(outcome: CallOutcome): boolean {
  return outcome.kind === 'connection_lost' && outcome.reason === 'shutdown';
}

function unknownBecause(outcome: CallOutcome, wording: Wording): RequestError {
  const unknown = (code: string, what: string) => unknownError(code, what, wording);
  switch (outcome.kind) {
    case 'unknown':
      return unknown(
        'answer_unreadable',
        outcome.isForeign
          ? 'The call was accepted by something that does not answer as Defender does.'
          : `Defender accepted the call, but its answer names no ${wording.noun}.`,
      );
    case 'timeout':
      return unknown('call_timeout', 'Defender did not answer in time.');
    case 'server_error':
      return unknown('server_error', 'Defender answered with an error of its own.');
    default:
      return isShutdown(outcome)
        ? unknown('call_interrupted', 'The worker was stopped before Defender answered.')
        : unknown('connection_lost', 'The connection was lost before Defender answered.');
  }
}

/** The unresolved outcome of a call whose process ended before it could record one. */
export function abandonedCall(wording: Wording): UnresolvedOutcome {
  const what = 'The worker ended before it could record what Defender answered.';
  return { cause: 'lost', error: unknownError('call_interrupted', what, wording) };
}

function unknownError(code: string, what: string, { one }: Wording): RequestError {
  return { code, message: `${what} Whether ${one} was started is not known.` };
}

function failed(details: ErrorDetails, code: string, what: string): Settlement {
  return { status: 'failed', error: errorOf(details, code, what), attempts: 1 };
}

function errorOf(details: ErrorDetails, code: string, what: string): RequestError {
  const said = [details.errorCode, details.errorMessage].filter((part) => part !== undefined).join(': ');
  const message = said === '' ? what : `${what} It says: ${said}`;
  return { code, message, ...targetOf(details) };
}

function targetOf(outcome: object): { defenderTarget?: string } {
  return 'defenderTarget' in outcome && typeof outcome.defenderTarget === 'string'
    ? { defenderTarget: outcome.defenderTarget }
    : {};
}
