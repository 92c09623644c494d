import type { RequestHandler } from 'express';

/** Answers each request with the same bytes in memory: no file is opened and nothing is copied for it. */
export function serveContent(
  content: string | Buffer,
  headers: Readonly<{ 'Content-Type': string; [name: string]: string }>,
): RequestHandler {
  const bytes = Buffer.from(content);
  return (_request, response) => {
    response.set(headers).send(bytes);
  };
}
