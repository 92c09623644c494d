import type { Request } from 'express';

/** Where the caller finds the front door: what it asked under, up to `/api`. It is what its own host header says. */
export function doorUrl(request: Request): string {
  const named = request.params['tenant'];
  const prefix = `/defender${named === undefined ? '' : `/${String(named)}`}`;
  return `${request.protocol}://${request.host}${prefix}`;
}

/** The path at Defender, from `/api` on, without a query. */
export function doorPathOf(target: string): string {
  return /^\/[^/?]+(?:\/[^/?]+)??(\/api\/[^?]*?)\/?(?:\?.*)?$/i.exec(target)?.[1] ?? '';
}

/**
 * A link of Defender's under the front door, whichever of Defender's hosts it names; `undefined` for another kind of link.
 *
 * @param base from `doorUrl`
 * @param prefix what stands before `/api` at the tenant's Defender
 */
export function throughDoor(link: string, base: string, prefix = ''): string | undefined {
  const url = URL.canParse(link) ? new URL(link) : undefined;
  if (!url) return undefined;
  const path = url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length) : url.pathname;
  return path.startsWith('/api/') ? `${base}${path}${url.search}` : undefined;
}
