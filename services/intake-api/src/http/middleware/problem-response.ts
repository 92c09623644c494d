import type { ErrorRequestHandler, RequestHandler } from 'express';
import { errorCatalogue } from '@diq/contracts/error-catalogue.ts';
import { OrderScaleError } from '@diq/queue/admission/accept-chunk.ts';
import { TooManyJoinedError } from '@diq/queue/admission/accept-requests.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { ProblemError } from '../problem-error.ts';
import { retryAfterSeconds } from '../retry-after.ts';
import { callerOf } from '../../auth/authenticate.ts';
import { pathOf } from './access-log.ts';
import { httpRequestIdOf } from '../request-context.ts';
import { logOf } from '../http-request-log.ts';

/** Long enough for a restart or a failover to go on, short enough to be back soon after it. */
const redisRetryAfterSeconds = 5;

/** The only place that turns an error into a response: an RFC 9457 problem document for every kind of error. */
export const answerWithProblem: ErrorRequestHandler = (error: unknown, request, response, next) => {
  if (response.headersSent) {
    next(error);
    return;
  }
  const problem = toProblem(error);
  if (problem.code === 'internal_error' || error instanceof OrderScaleError)
    logOf(response).error({ err: error }, 'request failed');
  if (problem.code === 'redis_unavailable') {
    logOf(response).warn({ reason: error instanceof Error ? error.message : '' }, 'redis unavailable');
  }
  if (problem.code === 'storage_full') {
    const about = { caller: callerOf(response)?.name, reason: problem.detail };
    logOf(response).warn(about, 'storage limit of a caller reached');
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
      instance: pathOf(request),
      code: problem.code,
      httpRequestId: httpRequestIdOf(response),
      errors: problem.errors,
    });
};

/** Behind all routes. */
export const routeNotFound: RequestHandler = () => {
  throw new ProblemError('route_not_found');
};

function toProblem(error: unknown): ProblemError {
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
