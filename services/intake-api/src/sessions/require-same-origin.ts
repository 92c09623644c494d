import type { RequestHandler } from 'express';
import { ProblemError } from '../problem-error.ts';

/**
 * Refuses what a page of another site made a browser send. Browsers name the page's origin with every POST and DELETE;
 * who names none is asked to. The scheme is not compared: behind a proxy that ends TLS the service may not know it.
 */
export const requireSameOrigin: RequestHandler = (request, _response, next) => {
  if (!isOwnHost(request.get('Origin'), [request.host, request.get('Host')])) {
    throw new ProblemError('cross_site', { detail: 'The header Origin must name this service.' });
  }
  next();
};

function isOwnHost(origin: string | undefined, own: readonly (string | undefined)[]): boolean {
  if (origin === undefined || !URL.canParse(origin)) return false;
  return own.includes(new URL(origin).host);
}
