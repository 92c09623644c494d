import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

const acceptablePattern = /^[A-Za-z0-9._-]{1,128}$/;

/** Uses the caller's `X-Request-Id` if it is safe in a log line, otherwise generates one; the response returns it. */
export const assignHttpRequestId: RequestHandler = (request, response, next) => {
  const offered = request.get('X-Request-Id');
  const id = offered !== undefined && acceptablePattern.test(offered) ? offered : randomUUID();
  response.locals['httpRequestId'] = id;
  response.set('X-Request-Id', id);
  next();
};

export function httpRequestIdOf(response: Response): string | undefined {
  return response.locals['httpRequestId'] as string | undefined;
}
