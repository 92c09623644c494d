import type { RequestHandler } from 'express';
import { isCanonical } from '@diq/runtime/http-server/request-target.ts';
import { ProblemError } from '../problem-error.ts';
import { guardData } from './guard-data.ts';

/**
 * Every path has one spelling, and another names nothing: what is compared with a path, here or by a proxy's rule, need
 * not know of doubled slashes, dots, percent-encoding and the like. Case and a last slash are the router's part.
 */
export const requireCanonicalPath: RequestHandler = (request, response, next) => {
  if (isCanonical(request.originalUrl)) next();
  else guardData(request, response, () => next(new ProblemError('route_not_found')));
};
