import type { Request, RequestHandler, Response } from 'express';
import { pinoHttp } from 'pino-http';
import type { Logger } from '@diq/runtime/logger.ts';
import { callerOf } from './authenticate.ts';
import { routeOf } from './http-metrics.ts';

/** Long enough for every route there is; what is longer is nonsense. */
const maxPathLength = 200;

/**
 * One line per request, without headers, query and body; and `request.log`, whose lines carry the request's id.
 * Probes and scrapes, which come every few seconds, are told only at debug.
 */
export function logAccess(logger: Logger): RequestHandler {
  return pinoHttp<Request, Response>({
    logger,
    // The logger's own serializer lets no secret through; pino-http's would replace it.
    wrapSerializers: false,
    // Binds the whole request to a logger it never uses here; left in, redaction would walk through all of it.
    serializers: { req: () => undefined },
    customAttributeKeys: { reqId: 'requestId', responseTime: 'durationMs' },
    quietReqLogger: true,
    quietResLogger: true,
    customLogLevel: (request) => (isProbe(request) ? 'debug' : 'info'),
    customSuccessMessage: () => 'request answered',
    customErrorMessage: () => 'request answered',
    customSuccessObject: (request, response, { durationMs }: { durationMs: number }) =>
      accessLine(request, response, durationMs),
    customErrorObject: (request, response, _error, { durationMs }: { durationMs: number }) =>
      accessLine(request, response, durationMs),
  });
}

function accessLine(request: Request, response: Response, durationMs: number): Record<string, unknown> {
  const caller = callerOf(response);
  return {
    method: request.method,
    path: pathOf(request).slice(0, maxPathLength),
    route: routeOf(request),
    status: response.statusCode,
    durationMs,
    ...(caller ? { caller: caller.name } : {}),
    ...(response.writableFinished ? {} : { aborted: true }),
  };
}

function isProbe(request: Request): boolean {
  return ['/livez', '/readyz', '/metrics'].includes(pathOf(request));
}

/** The path as asked for, without the query. */
export function pathOf(request: Request): string {
  return request.originalUrl.replace(/\?.*$/s, '');
}
