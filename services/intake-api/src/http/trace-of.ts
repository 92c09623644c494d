import type { Response } from 'express';
import type { TraceContext } from '@diq/contracts/trace-context.ts';

/** The trace that a request belongs to, and the step of it that this service is. */
export function traceOf(response: Response): TraceContext | undefined {
  return response.locals['trace'] as TraceContext | undefined;
}
