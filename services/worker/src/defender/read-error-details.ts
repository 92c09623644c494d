import type { StatedQuota } from '@diq/quota/ledger/answers-and-holds.ts';
import { clip } from '@diq/contracts/text.ts';
import { memberOf } from '@diq/contracts/operations/read-id.ts';
import type { Answer } from './read-answer.ts';
import type { HeaderValue } from '@diq/runtime/http-server/retry-after.ts';

/** What an answer says about itself, for operators and for Microsoft's support. Every text is bounded. */
export interface ErrorDetails {
  readonly status: number;
  /** Defender's `error.code`, e.g. "ResourceNotFound"; a throttled call carries the text "429". */
  readonly errorCode?: string;
  /** Defender's `error.message`; wording not stable, for people only. */
  readonly errorMessage?: string;
  /** Tracking id that Microsoft's support asks for: `error.target`, else the correlation header. */
  readonly defenderTarget?: string;
}

const maxCodeLength = 100;
const maxMessageLength = 500;
const maxTargetLength = 200;

/** Reads `{ "error": { "code", "message", "target" } }` and the tracking headers, tolerating any other shape. */
export function readErrorDetails({ status, headers, body }: Answer): ErrorDetails {
  const error = memberOf(body, 'error');
  const errorCode = bounded(memberOf(error, 'code'), maxCodeLength);
  const errorMessage = bounded(memberOf(error, 'message'), maxMessageLength);
  const defenderTarget =
    bounded(memberOf(error, 'target'), maxTargetLength) ??
    bounded(first(headers['mise-correlation-id']), maxTargetLength) ??
    bounded(first(headers['x-ms-request-id']), maxTargetLength);
  return {
    status,
    ...(errorCode !== undefined && { errorCode }),
    ...(errorMessage !== undefined && { errorMessage }),
    ...(defenderTarget !== undefined && { defenderTarget }),
  };
}

function first(value: HeaderValue): string | undefined {
  return [value ?? []].flat()[0];
}

/** One printable line of at most so many characters; undefined when nothing is left. */
function bounded(value: unknown, maxLength: number): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  if (text === '') return undefined;
  return clip(text, maxLength);
}

/** "API calls quota exceeded! maximum allowed 5 per 01:00:00": a .NET time span, of days too ("1.00:00:00"). */
const statement = /\bmaximum\D{1,40}?(\d{1,9}) per (?:(\d{1,4})\.)?(\d{1,2}):(\d{2}):(\d{2})(?!\.?\d)/i;

/** The quota that the text of a 429 states. The text is not stable, so it may state none. */
export function statedQuotaIn(message: string | undefined): StatedQuota | undefined {
  const found = statement.exec(message ?? '');
  if (!found) return undefined;
  const [calls = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = found
    .slice(1)
    .map((text) => Number(text ?? 0));
  const windowMs = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000;
  return calls > 0 && windowMs > 0 ? { calls, windowMs } : undefined;
}

/**
 * The codes of Defender's error document `{ "error": { "code", "message", "target" } }` by which it speaks of the machine
 * or of the content of one request. Documented by Microsoft, closed here: what is not in it says nothing of a request.
 */
export const requestCodes: ReadonlySet<string> = new Set([
  'BadRequest',
  'ODataError',
  'InvalidInput',
  'InvalidRequestBody',
  'MissingRequiredParameter',
  'OsPlatformNotSupported',
  'ClientVersionNotSupported',
  'InvalidHashValue',
  'InvalidDomainName',
  'InvalidIpAddress',
  'InvalidUrl',
  'MaximumBatchSizeExceeded',
]);

/** These name the machine: whatever their message says of "no longer supported" is said of it, not of the API. */
const machineCodes: ReadonlySet<string> = new Set([
  'ResourceNotFound',
  'ActiveRequestAlreadyExists',
  'OsPlatformNotSupported',
  'ClientVersionNotSupported',
]);

const retiredCode =
  /retired|obsolete|decommissioned|discontinued|sunset|deprecated|^gone$|no_?longer_?(available|supported)/i;
const retiredWords =
  /\b(retired|decommissioned|discontinued|sunset|obsolete|(can(not)?|is|are|was|has been|be|been) no longer\b|no longer (available|supported|offered|exists?|possible)|removed|(deprecated|removed) and (\w+ ){0,2}(removed|deprecated))\b/i;
const namesTheCall =
  /\b(api|endpoint|route|url|operation|feature|capability|functionality|automated investigations?)\b/i;
const namesTheRequest = /\b(machine|device|host|agent|sensor|client|comment|token|user|application|group)\b/i;

/**
 * Whether an error document says that the call itself is no longer offered. How it would say so is not published.
 *
 * @param operation its name, as Defender writes it in addresses
 */
export function saysRetired(
  { errorCode: code, errorMessage: message = '' }: ErrorDetails,
  operation: string,
): boolean {
  if (code === undefined || machineCodes.has(code)) return false;
  if (retiredCode.test(code)) return true;
  const isNamed = namesTheCall.test(message) || message.toLowerCase().includes(operation.toLowerCase());
  return retiredWords.test(message) && (isNamed || !namesTheRequest.test(message));
}
