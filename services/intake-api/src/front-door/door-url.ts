import type { Request } from 'express';

/** Where the caller finds the front door: what it asked under, up to `/api`. It is what its own host header says. */
export function doorUrl(request: Request): string {
  const named = request.params['tenant'];
  const prefix = `/defender${named === undefined ? '' : `/${String(named)}`}`;
  return `${request.protocol}://${request.host}${prefix}`;
}
