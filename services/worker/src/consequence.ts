import type { HoldReason } from '@diq/quota/ledger.ts';
import type { RequestError } from '@diq/contracts/request-document.ts';
import type { Doubt, Settlement } from '@diq/queue/dispatch-store.ts';
import type { CallOutcome } from './defender/defender-client.ts';
import type { NotSentReason } from './defender/single-use-connection.ts';

/** For how long nobody calls after an outcome: as long as Defender asked, or longer with each failure in a row. */
export type HoldLength = { forMs: number } | 'growing';

/** What an outcome means for the requests of the dispatch, for its permit, and for everybody else's calls. */
export interface Consequence {
  /**
   * `settle` is final; `give-back` returns the dispatch to its place with its attempts untouched; `reconcile` leaves it
   * to Defender's books what the call came to.
   */
  requests:
    { kind: 'settle'; settlement: Settlement } | { kind: 'give-back' } | { kind: 'reconcile'; doubt: Doubt };
  /** `spent` unless the call provably never left. */
  permit: 'spent' | 'unspent';
  hold?: { reason: HoldReason; length: HoldLength };
}

const heldGrowing = (reason: HoldReason) => ({ reason, length: 'growing' as const });

/** The one place that decides what follows from an outcome. Pure, so that a successor can repeat it after a crash. */
export function consequenceOf(outcome: CallOutcome): Consequence {
  switch (outcome.kind) {
    case 'started':
      return final({ status: 'started', investigationId: outcome.investigationId, attempts: 1 });
    case 'machine_not_found':
      return final(failed(outcome, 'machine_not_found', 'Defender does not know this machine.'));
    case 'refused':
      return final(failed(outcome, 'request_refused', 'Defender refused to start the investigation.'));
    case 'already_running':
      return lookedUp({ cause: 'running', error: alreadyRunning(outcome) });
    case 'unknown':
    case 'server_error':
    case 'timeout':
    case 'connection_lost':
      return outcomeUnknown(outcome);
    case 'throttled':
      return waits('spent', { reason: 'throttled', length: lengthOf(outcome.retryAfterMs) });
    case 'not_allowed':
    case 'endpoint_unusable':
    case 'retired':
      return waits('spent', heldGrowing(outcome.kind));
    case 'token_rejected':
      // One more try with a new token, in its old place and with a permit of its own.
      return waits('spent');
    case 'not_sent':
      return waits('unspent', holdUnsent(outcome.reason));
    default:
      return outcome satisfies never;
  }
}

function final(settlement: Settlement): Consequence {
  return { requests: { kind: 'settle', settlement }, permit: 'spent' };
}

function lookedUp(doubt: Doubt, hold?: Consequence['hold']): Consequence {
  return { requests: { kind: 'reconcile', doubt }, permit: 'spent', ...(hold && { hold }) };
}

function waits(permit: Consequence['permit'], hold?: Consequence['hold']): Consequence {
  return { requests: { kind: 'give-back' }, permit, ...(hold && { hold }) };
}

/** What kept the call from leaving keeps every other one too: they share token, settings, address and network. */
function holdUnsent(reason: NotSentReason): Consequence['hold'] {
  if (reason === 'send-deadline-passed' || reason === 'shutdown') return undefined;
  if (reason === 'no-token') return heldGrowing('no_token');
  return heldGrowing(reason === 'invalid-request' ? 'endpoint_unusable' : 'unreachable');
}

/** "Again at once" is no length: each try costs a permit, and nothing would slow them down. */
function lengthOf(retryAfterMs = 0): HoldLength {
  return retryAfterMs > 0 ? { forMs: retryAfterMs } : 'growing';
}

/**
 * The investigation may run, so Defender is asked for it before anything else is done. While Defender fails, the next
 * call would most likely end the same way and cost another request its certainty: everybody waits, longer each time.
 */
function outcomeUnknown(
  outcome: Extract<CallOutcome, { kind: 'unknown' | 'server_error' | 'timeout' | 'connection_lost' }>,
): Consequence {
  const error = { ...unknownBecause(outcome), ...targetOf(outcome) };
  const hold = isShutdown(outcome) ? undefined : holdAfterFailure(outcome);
  // Of these only an answered error can mean that nothing was done.
  return lookedUp({ cause: outcome.kind === 'server_error' ? 'failed' : 'lost', error }, hold);
}

function holdAfterFailure(outcome: CallOutcome): Consequence['hold'] {
  // A page where Defender's answer should be says that the address is not Defender's.
  if (outcome.kind === 'unknown') return outcome.isForeign ? heldGrowing('endpoint_unusable') : undefined;
  const asked = outcome.kind === 'server_error' ? outcome.retryAfterMs : undefined;
  return { reason: 'failing', length: lengthOf(asked) };
}

function isShutdown(outcome: CallOutcome): boolean {
  return outcome.kind === 'connection_lost' && outcome.reason === 'shutdown';
}

function unknownBecause(outcome: CallOutcome): RequestError {
  switch (outcome.kind) {
    case 'unknown':
      return unknown(
        'answer_unreadable',
        'Defender accepted the call, but its answer names no investigation.',
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

/** What is told of a call whose process ended before it could say how the call went. */
export const abandonedCall: Doubt = {
  cause: 'lost',
  error: unknown('call_interrupted', 'The worker ended before it could record what Defender answered.'),
};

function unknown(code: string, what: string): RequestError {
  return { code, message: `${what} Whether an investigation was started is not known.` };
}

interface ErrorDetails {
  readonly errorCode?: string | undefined;
  readonly errorMessage?: string | undefined;
  readonly defenderTarget?: string | undefined;
}

function failed(details: ErrorDetails, code: string, what: string): Settlement {
  return { status: 'failed', error: errorOf(details, code, what), attempts: 1 };
}

function alreadyRunning(details: ErrorDetails): RequestError {
  const what = 'Defender says that an investigation of this machine is already under way.';
  return errorOf(details, 'already_running', what);
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
