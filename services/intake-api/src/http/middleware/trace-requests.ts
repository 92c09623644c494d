import type { Request, RequestHandler } from 'express';
import { parseTraceContext, type TraceContext } from '@diq/contracts/trace-context.ts';
import { redactText } from '@diq/runtime/logging/logger.ts';
import { queueAttributes, type Tracing } from '@diq/runtime/tracing/tracing.ts';
import { contextOf } from '../request-context.ts';
import { isProbe } from './access-log.ts';
import { routeOf } from './http-metrics.ts';

/**
 * Carries on the trace of a caller's `traceparent` and `tracestate`, if these are well-formed; where traces are recorded
 * and the caller sent none, one begins here. Every line that the request causes then has its `traceId`.
 */
export function traceRequests(tracing: Tracing): RequestHandler {
  return (request, response, next) => {
    if (isProbe(request)) {
      next();
      return;
    }
    const { method } = request;
    const parent = sentContext(request);
    const span = tracing.start(method, {
      kind: 'server',
      parent,
      attributes: { 'http.request.method': method },
    });
    contextOf(response).trace = span.context;
    response.once('close', () => {
      const { statusCode } = response;
      const route = routeOf(request);
      const { queue } = contextOf(response);
      span.set({
        'http.route': route,
        'http.response.status_code': statusCode,
        ...(queue && queueAttributes(queue)),
      });
      span.end({ name: `${method} ${route}`, error: statusCode >= 500 ? String(statusCode) : undefined });
    });
    next();
  };
}

/** Kept and passed on, so a credential that got into `tracestate` is not. Nothing is searched before its length is known. */
function sentContext(request: Request): TraceContext | undefined {
  const sent = parseTraceContext(request.get('traceparent'), request.get('tracestate'));
  if (sent?.tracestate === undefined || redactText(sent.tracestate) === sent.tracestate) return sent;
  return { traceparent: sent.traceparent };
}
