import { clip } from '@diq/contracts/text.ts';
import type { Answer } from './read-answer.ts';
import type { HeaderValue } from './retry-after.ts';

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

function memberOf(value: unknown, member: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.getOwnPropertyDescriptor(value, member)?.value
    : undefined;
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
