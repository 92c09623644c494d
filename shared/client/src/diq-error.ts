import type { FieldFault } from '@diq/contracts/field-fault.ts';

/** Codes of errors that no service answered. All other codes are those of the API, see docs/api.md. */
export const clientCodes = [
  /** No connection, or it was lost before the whole answer was there. What was asked may have been done. */
  'unreachable',
  /** No answer in time. What was asked may have been done. */
  'timed_out',
  /** The time that was given for waiting is over, and what was waited for has not ended. It goes on. */
  'not_ended',
  /** The answer leads elsewhere; it is not followed, so that the key goes nowhere else. */
  'redirected',
  /** Larger than is read. */
  'answer_too_large',
  /** Not what the API answers, such as the page of a proxy. */
  'unexpected_answer',
] as const;

export type ClientCode = (typeof clientCodes)[number];

interface ErrorFacts {
  /** Of the catalogue of the API, or one of {@link clientCodes}. Stable: what a program branches on. */
  code: string;
  /** One sentence about this occurrence, for people. */
  detail: string;
  /** Of the HTTP answer; absent where there was none. */
  status?: number;
  /** The fields at fault. */
  errors?: readonly FieldFault[];
  /** Leads to the service's log lines. It is sent with each call, so it is known also where no answer came. */
  httpRequestId: string;
  /** How long the service asks to wait, in ms. */
  retryAfterMs?: number | undefined;
  /** Such as `POST /v1/batches`. */
  call: string;
  cause?: unknown;
}

/** Why a call brought nothing. Never holds the key, a header that was sent, or what was posted. */
export class DiqError extends Error {
  override readonly name = 'DiqError';
  readonly code: string;
  readonly detail: string;
  readonly status: number | undefined;
  readonly errors: readonly FieldFault[];
  readonly httpRequestId: string;
  readonly retryAfterMs: number | undefined;
  readonly call: string;

  constructor({ code, detail, status, errors, httpRequestId, retryAfterMs, call, cause }: ErrorFacts) {
    super(`${call}: ${detail} (${code})`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.errors = errors ?? [];
    this.httpRequestId = httpRequestId;
    this.retryAfterMs = retryAfterMs;
    this.call = call;
  }
}
