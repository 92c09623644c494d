import type { Request } from 'express';

/** The origin under which this client reached the server, so that links in answers work for it. */
export function requestOrigin(req: Request): string {
  return `https://${req.get('host') ?? 'localhost'}`;
}
