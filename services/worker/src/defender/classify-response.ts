import type {
  AnsweredResult,
  OperationProfile,
  OperationResult,
  Parameters,
} from '@diq/contracts/operations/profile.ts';
import { readErrorDetails, requestCodes, saysRetired, type ErrorDetails } from './read-error-details.ts';
import type { Answer } from './read-answer.ts';
import { parseRetryAfter } from '@diq/runtime/http-server/retry-after.ts';

/**
 * Every way a call can end; also the label values of `diq_defender_calls_total{outcome}`.
 *
 * | outcome | an investigation or a machine action was started by this call | quota used |
 * |---|---|---|
 * | started | yes, its id is known | yes |
 * | unknown, server_error, timeout, connection_lost | perhaps: look it up, never send again blindly | yes |
 * | already_running | no, an earlier one runs | yes |
 * | machine_not_found, refused | no: Defender's own word about the machine or the content | yes, it reached Defender |
 * | not_allowed, disabled, token_rejected, throttled, endpoint_unusable, retired | no: the path is at fault, not the request | yes, it may have reached Defender |
 * | not_sent | no | no, not one byte of the request left |
 */
export const callOutcomes = [
  'started',
  'unknown',
  'already_running',
  'machine_not_found',
  'refused',
  'not_allowed',
  'disabled',
  'token_rejected',
  'throttled',
  'endpoint_unusable',
  'retired',
  'server_error',
  'timeout',
  'connection_lost',
  'not_sent',
] as const;

export type CallOutcomeKind = (typeof callOutcomes)[number];

/** What stands in the way of every call until an administrator acts. */
export type NotAllowedReason = 'forbidden' | 'token_rejected' | 'proxy_authentication';

/** What an answer means. Only the kinds that an HTTP answer can have. */
export type AnswerVerdict = ErrorDetails &
  (
    | { readonly kind: 'started'; readonly result: OperationResult }
    /** `isForeign`: no answer of Defender's kind, such as the page or the document of a gateway or of another site. */
    | { readonly kind: 'unknown'; readonly reason: 'unreadable_answer'; readonly isForeign?: true }
    | { readonly kind: 'already_running'; readonly running?: RunningResult }
    | { readonly kind: 'machine_not_found' }
    | { readonly kind: 'refused' }
    | { readonly kind: 'not_allowed'; readonly reason: NotAllowedReason }
    | { readonly kind: 'disabled' }
    | { readonly kind: 'token_rejected' }
    | { readonly kind: 'endpoint_unusable' }
    | { readonly kind: 'retired' }
    | { readonly kind: 'throttled'; readonly retryAfterMs: number | undefined }
    | { readonly kind: 'server_error'; readonly retryAfterMs: number | undefined }
  );

/** A machine action of another call that an answer names. */
export interface RunningResult extends OperationResult {
  /** It does all that was asked for. */
  readonly covers: boolean;
}

export interface ClassifyContext {
  readonly profile: Pick<OperationProfile, 'name' | 'accepted' | 'alreadyRunning' | 'readResult' | 'records'>;
  readonly parameters: Parameters;
  /** What the comment of the call ended with, where Defender gives it back. */
  readonly correlationToken?: string | undefined;
  /** True when the call was made with a token obtained because the one before it was answered 401. */
  readonly tokenRenewed: boolean;
  readonly nowMs: number;
}

/**
 * The one place that decides what an answer means; total over 100 to 599 and pure.
 *
 * Only Defender's own error document with a documented code speaks of the one request. Whatever else refuses a call
 * (a redirect, a gateway's page, an unknown code, a status that only a wrong address gives) would refuse the next one
 * as well. 408, 421, 425 and 499 are written by intermediaries that gave up on a request they may have forwarded, so
 * they count as server errors; 1xx never ends an answer, so it says nothing.
 */
export function classifyResponse(answer: Answer, context: ClassifyContext): AnswerVerdict {
  const details = readErrorDetails(answer);
  return { ...details, ...verdictOf(answer, details, context) };
}

/** The verdict without the details; distributes over the union. */
type Bare<V> = V extends unknown ? Omit<V, keyof ErrorDetails> : never;

function verdictOf(answer: Answer, details: ErrorDetails, context: ClassifyContext): Bare<AnswerVerdict> {
  const { status } = answer;
  if (status >= 200 && status < 300) return successOf(answer, context);
  if (status >= 300 && status < 400) return { kind: 'endpoint_unusable' };
  if (status < 200 || status >= 500) return serverError(answer, context);
  return clientErrorOf(answer, details, context);
}

function successOf(answer: Answer, context: ClassifyContext): Bare<AnswerVerdict> {
  const { profile } = context;
  const result = profile.readResult(answer.body);
  if (result !== undefined) return startedOr(result, context);
  // A 2xx says that Defender accepted the call; that its id got lost does not undo that. Whatever else accepts a call and
  // names no result is not Defender.
  const isForeign = !profile.accepted.includes(answer.status) || !mayBeDefenders(answer);
  return { kind: 'unknown', reason: 'unreadable_answer', ...(isForeign && { isForeign }) };
}

/** Defender may answer a repeat with the machine action that is pending: its comment is another call's. */
function startedOr(
  { kind, id, action }: AnsweredResult,
  { profile: { records }, parameters, correlationToken }: ClassifyContext,
): Bare<AnswerVerdict> {
  const result = { kind, id };
  if (action?.requestorComment === undefined || correlationToken === undefined)
    return { kind: 'started', result };
  if (action.requestorComment.endsWith(correlationToken)) return { kind: 'started', result };
  const covers = records.list === 'machineActions' && records.covers(action, parameters);
  return { kind: 'already_running', running: { ...result, covers } };
}

/**
 * Defender answers with a document of OData, with a value or as an entity; gateways and mocks write others, or nothing.
 * One that names no type may be Defender's that broke off.
 */
function mayBeDefenders({ headers, body, bodyFault }: Answer): boolean {
  if (body !== undefined) {
    const isObject = typeof body === 'object' && body !== null;
    return isObject && ['@odata.context', 'value', 'id'].some((member) => Object.hasOwn(body, member));
  }
  const [type = ''] = [headers['content-type'] ?? []].flat();
  return type === '' ? bodyFault !== 'not_json' : /\bjson\b/i.test(type);
}

function clientErrorOf(answer: Answer, details: ErrorDetails, context: ClassifyContext): Bare<AnswerVerdict> {
  const { status, errorCode } = details;
  switch (status) {
    case 401:
      return context.tokenRenewed
        ? { kind: 'not_allowed', reason: 'token_rejected' }
        : { kind: 'token_rejected' };
    case 407:
      return { kind: 'not_allowed', reason: 'proxy_authentication' };
    case 408:
    case 421:
    case 425:
    case 499:
      return serverError(answer, context);
    case 410:
      return { kind: 'retired' };
    case 429:
      return { kind: 'throttled', retryAfterMs: parseRetryAfter(answer.headers, context.nowMs) };
    default:
  }
  const { name, alreadyRunning } = context.profile;
  if (alreadyRunning.statuses.includes(status) && errorCode === alreadyRunning.code) {
    return { kind: 'already_running' };
  }
  // `NotFound` is a route that Defender does not know.
  if (status === 404 && errorCode === 'ResourceNotFound') return { kind: 'machine_not_found' };
  if (saysRetired(details, name)) return { kind: 'retired' };
  if (status === 403 && errorCode === disabledCode) return { kind: 'disabled' };
  // Documented for status 400.
  if (status === 400 && requestCodes.has(errorCode ?? '')) return { kind: 'refused' };
  return status === 403 ? { kind: 'not_allowed', reason: 'forbidden' } : { kind: 'endpoint_unusable' };
}

/** Of a 403 that speaks of the tenant's settings and not of the application. */
const disabledCode = 'DisabledFeature';

function serverError({ headers }: Answer, { nowMs }: ClassifyContext): Bare<AnswerVerdict> {
  return { kind: 'server_error', retryAfterMs: parseRetryAfter(headers, nowMs) };
}
