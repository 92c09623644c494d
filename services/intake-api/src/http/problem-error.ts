import type { FieldFault } from '@diq/contracts/field-fault.ts';
import type { ErrorCode } from './error-catalogue.ts';

interface ProblemDetails {
  /** One sentence about this occurrence, for people. */
  detail?: string;
  /** The fields that are at fault. */
  errors?: readonly FieldFault[];
  headers?: Readonly<Record<string, string>>;
}

/** An answer out of the error catalogue; thrown anywhere in a request and answered by `problem-response`. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly errors: readonly FieldFault[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, { detail, errors, headers = {} }: ProblemDetails = {}) {
    super(detail ?? code);
    this.code = code;
    this.detail = detail;
    this.errors = errors;
    this.headers = headers;
  }
}
