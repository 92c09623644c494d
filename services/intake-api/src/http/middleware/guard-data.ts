import helmet from 'helmet';
import type { RequestHandler } from 'express';
import { isCanonical } from '@diq/runtime/http-server/request-target.ts';
import { ProblemError } from '../problem-error.ts';

/**
 * Of helmet's headers those that mean something for data: no site may take them for a page, frame them or read them from
 * another site, and a browser that came by HTTPS once comes by it again. The others are about pages.
 */
export const guardData = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  referrerPolicy: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
});

/**
 * Every path has one spelling, and another names nothing: what is compared with a path, here or by a proxy's rule, need
 * not know of doubled slashes, dots, percent-encoding and the like. Case and a last slash are the router's part.
 */
export const requireCanonicalPath: RequestHandler = (request, response, next) => {
  if (isCanonical(request.originalUrl)) next();
  else guardData(request, response, () => next(new ProblemError('route_not_found')));
};
