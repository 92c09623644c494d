import type { ErrorRequestHandler, RequestHandler } from 'express';
import { OrderScaleError } from '@diq/queue/admission/accept-chunk.ts';
import { TooManyJoinedError } from '@diq/queue/admission/accept-requests.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { pathOfTarget } from '@diq/runtime/http-server/request-target.ts';
import { errorCatalogue } from '../error-catalogue.ts';
import { ProblemError } from '../problem-error.ts';
import { retryAfterSeconds } from '../retry-after.ts';
import { contextOf } from '../request-context.ts';

/** Long enough for a restart or a failover to go on, short enough to be back soon after it. */
const redisRetryAfterSeconds = 5;

/** The only place that turns an error into a response: an RFC 9457 problem document for every kind of error. */
export const answerWithProblem: ErrorRequestHandler = (error: unknown, request, response, next) => {
  if (response.headersSent) {
    next(error);
    return;
  }
  const problem = toProblem(error);
  const { httpRequestId, identified, log } = contextOf(response);
  if (problem.code === 'internal_error' || error instanceof OrderScaleError)
    log.error({ err: error }, 'request failed');
  if (problem.code === 'redis_unavailable') {
    log.warn({ reason: error instanceof Error ? error.message : '' }, 'redis unavailable');
  }
  if (problem.code === 'storage_full') {
    const about = { caller: identified?.name, reason: problem.detail };
    log.warn(about, 'storage limit of a caller reached');
  }
  const { status, title } = errorCatalogue[problem.code];
  response
    .status(status)
    .set(problem.headers)
    .type('application/problem+json')
    .json({
      type: `urn:diq:problem:${problem.code}`,
      title,
      status,
      detail: problem.detail,
      instance: pathOfTarget(request.originalUrl),
      code: problem.code,
      httpRequestId,
      errors: problem.errors,
    });
};

/** Every answer is about one moment and one caller: no cache may keep it. */
export const noStore: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'no-store');
  next();
};

/** Behind all routes. */
export const routeNotFound: RequestHandler = () => {
  throw new ProblemError('route_not_found');
};

/** The problem that an error is, of whatever kind it is. */
export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  // Express: the path cannot be percent-decoded, so it names nothing.
  if (error instanceof URIError) return new ProblemError('route_not_found');
  // Room returns with a call, or when the queue is empty: the time cannot be predicted.
  const unpredictable = { 'Retry-After': retryAfterSeconds(undefined) };
  if (error instanceof TooManyJoinedError) {
    return new ProblemError('too_many_joined', { detail: error.message, headers: unpredictable });
  }
  if (error instanceof OrderScaleError) {
    return new ProblemError('backlog_full', { detail: error.message, headers: unpredictable });
  }
  if (isRedisTrouble(error)) {
    return new ProblemError('redis_unavailable', {
      detail: 'Every acknowledged request is kept. Repeat after the time in Retry-After.',
      headers: { 'Retry-After': String(redisRetryAfterSeconds) },
    });
  }
  return new ProblemError('internal_error', {
    detail: 'Log lines with this `httpRequestId` show the cause.',
  });
}
