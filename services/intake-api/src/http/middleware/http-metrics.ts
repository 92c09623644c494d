import type { Request, RequestHandler } from 'express';
import { contextOf } from '../request-context.ts';

/** A finished request, with labels of which there is a limited number. */
export interface ObservedRequest {
  method: string;
  route: string;
  status: number;
  seconds: number;
}

const knownMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Tells how long each request took, once its reply is out. */
export function observeRequests(observe: (request: ObservedRequest) => void): RequestHandler {
  return (request, response, next) => {
    const startedAtMs = performance.now();
    response.once('finish', () => {
      if (contextOf(response).isStream) return;
      observe({
        method: knownMethods.includes(request.method) ? request.method : 'other',
        route: routeOf(request),
        status: response.statusCode,
        seconds: (performance.now() - startedAtMs) / 1_000,
      });
    });
    next();
  };
}

/** What stands before the rest of a path that names its tenant. */
export const tenantPrefix = '/v1/tenants/:tenant';

/**
 * The pattern of the route that took the request, the same whether the path names a tenant or not; `unmatched` when it was
 * refused before one did.
 */
export function routeOf(request: Request): string {
  const route: unknown = request.route;
  const path = typeof route === 'object' && route !== null && 'path' in route ? route.path : undefined;
  if (typeof path !== 'string') return 'unmatched';
  return path.startsWith(`${tenantPrefix}/`) ? `/v1${path.slice(tenantPrefix.length)}` : path;
}
