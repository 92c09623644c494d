import type { Request, RequestHandler } from 'express';
import { clip } from '@diq/contracts/text.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { isCanonical, opsPaths, pathOfTarget } from '@diq/runtime/http-server/request-target.ts';
import { clientAddress, contextOf } from '../request-context.ts';
import { routeOf } from './http-metrics.ts';

/** Long enough for every route there is; what is longer is nonsense. */
const maxPathLength = 200;

/**
 * One line per HTTP request, without headers, query and body.
 * Probes and scrapes, which come every few seconds, are logged at debug only.
 */
export function logAccess(logger: Logger): RequestHandler {
  return (request, response, next) => {
    const startedAtMs = performance.now();
    // Gone with the connection by the time of the line.
    const client = clientAddress(request);
    const { log } = contextOf(response);
    // Without a listener, an answer that cannot be written would end the process.
    response.on('error', (error) => log.warn({ err: error }, 'response could not be sent'));
    response.once('close', () => {
      const level = isProbe(request) ? 'debug' : 'info';
      if (!logger.isLevelEnabled(level)) return;
      const caller = contextOf(response).identified;
      const line = {
        method: request.method,
        path: clip(pathOfTarget(request.originalUrl), maxPathLength),
        route: routeOf(request),
        status: response.statusCode,
        durationMs: Math.round(performance.now() - startedAtMs),
        client,
        ...(caller ? { caller: caller.name } : {}),
        ...(response.writableFinished ? {} : { aborted: true }),
      };
      log[level](line, 'request answered');
    });
    next();
  };
}

/** Asked for every few seconds by machines. */
export function isProbe({ originalUrl }: Request): boolean {
  return isCanonical(originalUrl) && opsPaths.includes(pathOfTarget(originalUrl));
}
