import type { RequestHandler } from 'express';
import type { Route, RouteDefinition } from './define-route.ts';

/** A route that answers with the same bytes in memory each time. What takes time to make is made when it is asked for first. */
export function defineContent(
  path: string,
  content: string | Buffer | (() => string | Buffer),
  {
    headers: sent,
    guards = [],
    definition,
  }: {
    headers: Readonly<{ 'Content-Type': string; [name: string]: string }>;
    guards?: RequestHandler[];
    definition?: RouteDefinition;
  },
): Route<unknown> {
  let bytes: Buffer | undefined;
  const send: RequestHandler = (_request, response) => {
    bytes ??= Buffer.from(typeof content === 'function' ? content() : content);
    response.set(sent).send(bytes);
  };
  return { method: 'get', path, steps: () => [...guards, send], ...(definition && { definition }) };
}
