import { deflateSync } from 'node:zlib';
import type { Request, Response } from 'express';

/** An answer before it is sent. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Sends a reply: OData successes chunked and, for who accepts it, deflated, as recorded; the rest with a length. */
export function sendReply(req: Request, res: Response, reply: Reply): void {
  const streamed = reply.headers['OData-Version'] !== undefined;
  const deflated = streamed && /\bdeflate\b/.test(req.get('accept-encoding') ?? '');
  const bytes = deflated ? deflateSync(reply.body) : Buffer.from(reply.body);
  const headers: Record<string, string> = { ...reply.headers };
  if (deflated) headers['Content-Encoding'] = 'deflate';
  if (!streamed) headers['Content-Length'] = String(bytes.length);
  res.writeHead(reply.status, headers);
  if (bytes.length > 0) res.write(bytes);
  res.end();
}

/** The origin under which this client reached the server, so that links in answers work for it. */
export function requestOrigin(req: Request): string {
  return `https://${req.get('host') ?? 'localhost'}`;
}
