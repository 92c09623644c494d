import { z } from 'zod';
import { fieldFault, type FieldFault } from '@diq/contracts/field-fault.ts';
import { errorCatalogue, type ErrorCode } from './error-catalogue.ts';

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

const codes = Object.keys(errorCatalogue) as ErrorCode[];

/** Every answer that is an error: RFC 9457, media type `application/problem+json`. */
export const problemDocument = z
  .strictObject({
    type: z.string().describe('`urn:diq:problem:` and the code.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional().describe('About this occurrence, for people.'),
    instance: z.string().describe('The path that was asked for.'),
    code: z.enum(codes).describe('Stable: what a program branches on.'),
    httpRequestId: z
      .string()
      .describe('The id of the HTTP request, also in `X-Request-Id` and in its log lines.'),
    errors: z.array(fieldFault).optional().describe('The fields at fault.'),
  })
  .meta({ id: 'Problem', description: 'An error, as of RFC 9457.' });
