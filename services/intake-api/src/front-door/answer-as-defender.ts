import type { ErrorRequestHandler } from 'express';
import { errorCatalogue, type ErrorCode } from '../http/error-catalogue.ts';
import { toProblem } from '../http/middleware/problem-response.ts';
import { contextOf } from '../http/request-context.ts';

/** An answer of the front door that is no problem of the API: what Defender has a code for, and the API has not. */
export class DefenderError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    { headers = {}, cause }: { headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** Defender's code for a problem of the API, where its status alone does not say it. */
const codes: Partial<Record<ErrorCode, string>> = {
  malformed_json: 'InvalidRequestBody',
  invalid_request: 'InvalidRequestBody',
  body_too_large: 'InvalidRequestBody',
  unsupported_media_type: 'InvalidRequestBody',
  tenant_removed: 'DisallowedOperation',
  route_not_found: 'NotFound',
};

/** And where its status is none that connectors know from Defender. */
const statuses: Partial<Record<ErrorCode, number>> = {
  body_too_large: 400,
  unsupported_media_type: 400,
  tenant_removed: 403,
  already_dispatched: 400,
  already_ended: 400,
  // A full queue is to connectors what a full quota is.
  backlog_full: 429,
};

function codeOf(status: number): string {
  if (status === 401) return 'Unauthorized';
  if (status === 403) return 'Forbidden';
  if (status === 404) return 'ResourceNotFound';
  if (status === 429) return 'TooManyRequests';
  if (status === 503) return 'ServiceUnavailable';
  return status < 500 ? 'BadRequest' : 'InternalServerError';
}

/** Turns every error behind the front door into `{ error: { code, message, target } }`, where `target` leads to the log. */
export const answerAsDefender: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) {
    next(error);
    return;
  }
  const { httpRequestId, log } = contextOf(response);
  const { status, code, message, headers } = error instanceof DefenderError ? error : translated(error);
  if (status >= 500 && status !== 501) log.warn({ err: error }, 'front door: request failed');
  response
    .status(status)
    .set(headers)
    .type('application/json')
    .json({ error: { code, message, target: httpRequestId } });
};

function translated(error: unknown) {
  const { code, detail, headers } = toProblem(error);
  const status = statuses[code] ?? errorCatalogue[code].status;
  return {
    status,
    code: codes[code] ?? codeOf(status),
    message: detail ?? errorCatalogue[code].title,
    headers,
  };
}
