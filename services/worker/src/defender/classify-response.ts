import type { Answer } from './read-answer.ts';
import { readErrorDetails, type ErrorDetails } from './read-error-details.ts';
import { parseRetryAfter } from './retry-after.ts';

/**
 * Every way a call can end; also the label values of `diq_defender_calls_total{outcome}`.
 *
 * | outcome | an investigation was started by this call | quota used |
 * |---|---|---|
 * | started | yes, its id is known | yes |
 * | unknown, server-error, timeout, connection-lost | perhaps: look it up, never send again blindly | yes |
 * | already-running | no, an earlier one runs | yes |
 * | machine-not-found, refused, not-allowed, token-rejected, throttled | no | yes, it reached Defender |
 * | not-sent | no | no, not one byte of the request left |
 */
export const callOutcomes = [
  'started',
  'unknown',
  'already-running',
  'machine-not-found',
  'refused',
  'not-allowed',
  'token-rejected',
  'throttled',
  'server-error',
  'timeout',
  'connection-lost',
  'not-sent',
] as const;

export type CallOutcomeKind = (typeof callOutcomes)[number];

/** Why a call that reached Defender is final for this request. `code` is ours and stable, `errorCode` is Defender's. */
export type RefusalCode =
  'request_refused' | 'conflict' | 'operation_unavailable' | 'operation_retired' | 'unexpected_redirect';

/** What stands in the way of every call until an administrator acts. */
export type NotAllowedReason = 'forbidden' | 'token-rejected' | 'proxy-authentication';

/** What an answer means. Only the kinds that an HTTP answer can have. */
export type AnswerVerdict = ErrorDetails &
  (
    | { readonly kind: 'started'; readonly investigationId: string }
    | { readonly kind: 'unknown'; readonly reason: 'unreadable-answer' }
    | { readonly kind: 'already-running' }
    | { readonly kind: 'machine-not-found' }
    | { readonly kind: 'refused'; readonly code: RefusalCode }
    | { readonly kind: 'not-allowed'; readonly reason: NotAllowedReason }
    | { readonly kind: 'token-rejected' }
    | { readonly kind: 'throttled'; readonly retryAfterMs: number | undefined }
    | { readonly kind: 'server-error'; readonly retryAfterMs: number | undefined }
  );

export interface ClassifyContext {
  readonly readInvestigationId: (body: unknown) => string | undefined;
  /** True when the call was made with a token obtained because the one before it was answered 401. */
  readonly tokenRenewed: boolean;
  readonly nowMs: number;
}

/**
 * The one place that decides what a status means; total over 100 to 599 and pure.
 *
 * Beyond the documented ones: 408, 421, 425 and 499 are written by intermediaries that gave up on a request they
 * may have forwarded, so they count as server errors; 407 is a proxy that lets nothing through, so it stops all
 * calls instead of failing one request; 1xx never ends an answer, so it tells nothing; every other 4xx is a
 * statement about this request that repeating it would not change.
 */
export function classifyResponse(answer: Answer, context: ClassifyContext): AnswerVerdict {
  const details = readErrorDetails(answer);
  const verdict = verdictOf(answer, details.errorCode, context);
  return { ...details, ...verdict };
}

/** The verdict without the details; distributes over the union. */
type Bare<V> = V extends unknown ? Omit<V, keyof ErrorDetails> : never;

function verdictOf(
  answer: Answer,
  errorCode: string | undefined,
  context: ClassifyContext,
): Bare<AnswerVerdict> {
  const { status } = answer;
  if (status >= 200 && status < 300) return successOf(answer.body, context);
  if (status >= 300 && status < 400) return { kind: 'refused', code: 'unexpected_redirect' };
  if (status < 200 || status >= 500) return serverError(answer, context);
  return clientErrorOf(answer, errorCode, context);
}

function successOf(body: unknown, { readInvestigationId }: ClassifyContext): Bare<AnswerVerdict> {
  const investigationId = readInvestigationId(body);
  // A 2xx says that Defender accepted the call; that its id got lost does not undo that.
  return investigationId === undefined
    ? { kind: 'unknown', reason: 'unreadable-answer' }
    : { kind: 'started', investigationId };
}

function clientErrorOf(
  answer: Answer,
  errorCode: string | undefined,
  context: ClassifyContext,
): Bare<AnswerVerdict> {
  switch (answer.status) {
    case 400:
    case 409:
      if (errorCode === 'ActiveRequestAlreadyExists') return { kind: 'already-running' };
      return { kind: 'refused', code: answer.status === 409 ? 'conflict' : 'request_refused' };
    case 401:
      return context.tokenRenewed
        ? { kind: 'not-allowed', reason: 'token-rejected' }
        : { kind: 'token-rejected' };
    case 403:
      return { kind: 'not-allowed', reason: 'forbidden' };
    case 404:
      return { kind: 'machine-not-found' };
    case 405:
      return { kind: 'refused', code: 'operation_unavailable' };
    case 407:
      return { kind: 'not-allowed', reason: 'proxy-authentication' };
    case 408:
    case 421:
    case 425:
    case 499:
      return serverError(answer, context);
    case 410:
      return { kind: 'refused', code: 'operation_retired' };
    case 429:
      return { kind: 'throttled', retryAfterMs: retryAfterOf(answer, context) };
    default:
      return { kind: 'refused', code: 'request_refused' };
  }
}

function serverError(answer: Answer, context: ClassifyContext): Bare<AnswerVerdict> {
  return { kind: 'server-error', retryAfterMs: retryAfterOf(answer, context) };
}

function retryAfterOf({ headers }: Answer, { nowMs }: ClassifyContext): number | undefined {
  return parseRetryAfter(headers['retry-after'], { responseDate: headers['date'], nowMs });
}
