import type { Request, RequestHandler, Response } from 'express';
import { pinoHttp } from 'pino-http';
import { traceIdOf } from '@diq/contracts/trace-context.ts';
import type { Logger } from '@diq/runtime/logger.ts';
import { callerOf } from './authenticate.ts';
import { routeOf } from './http-metrics.ts';
import { traceOf } from './trace-of.ts';

/** Long enough for every route there is; what is longer is nonsense. */
const maxPathLength = 200;

/**
 * One line per HTTP request, without headers, query and body; and `request.log`, whose lines carry its id.
 * Probes and scrapes, which come every few seconds, are told only at debug.
 */
export function logAccess(logger: Logger): RequestHandler {
  return pinoHttp<Request, Response>({
    logger,
    // The logger's own serializer lets no secret through; pino-http's would replace it.
    wrapSerializers: false,
    // Binds the whole request to a logger it never uses here; left in, redaction would walk through all of it.
    serializers: { req: () => undefined },
    customAttributeKeys: { reqId: 'httpRequestId', responseTime: 'durationMs' },
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
  const trace = traceOf(response);
  return {
    method: request.method,
    path: pathOf(request).slice(0, maxPathLength),
    route: routeOf(request),
    status: response.statusCode,
    durationMs,
    ...(caller ? { caller: caller.name } : {}),
    ...(trace ? { traceId: traceIdOf(trace) } : {}),
    ...(response.writableFinished ? {} : { aborted: true }),
  };
}

/** Asked for every few seconds by machines. */
export function isProbe(request: Request): boolean {
  return ['/livez', '/readyz', '/metrics'].includes(pathOf(request));
}

/** The path as asked for, without the query. */
export function pathOf(request: Request): string {
  return request.originalUrl.replace(/\?.*$/s, '');
}
