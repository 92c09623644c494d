import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

const acceptablePattern = /^[A-Za-z0-9._-]{1,128}$/;

/** Takes over the caller's `X-Request-Id` if it is harmless in a log line, else makes one; the reply carries it. */
export const assignRequestId: RequestHandler = (request, response, next) => {
  const offered = request.get('X-Request-Id');
  const id = offered !== undefined && acceptablePattern.test(offered) ? offered : randomUUID();
  response.locals['requestId'] = id;
  response.set('X-Request-Id', id);
  next();
};

export function requestIdOf(response: Response): string | undefined {
  return response.locals['requestId'] as string | undefined;
}
