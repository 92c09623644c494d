import type { Response } from 'express';
import { traceIdOf } from '@diq/contracts/trace-context.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { httpRequestIdOf } from './request-context.ts';
import { traceOf } from './trace-of.ts';

type Tell = (about: Readonly<Record<string, unknown>>, message: string) => void;

/** The log of one request: its lines carry the request's id, and its trace's where there is one. */
export interface RequestLog extends Record<'debug' | 'info' | 'warn' | 'error', Tell> {
  readonly isDebugging: boolean;
}

/** Lets the request be logged, see `logOf`. */
export function giveLog(response: Response, logger: Logger): void {
  response.locals['logger'] = logger;
}

/** No child of the logger: making one costs as much as all else that is done for a short answer. */
export function logOf(response: Response): RequestLog {
  const logger = response.locals['logger'] as Logger;
  const tell =
    (level: 'debug' | 'info' | 'warn' | 'error'): Tell =>
    (about, message) => {
      if (!logger.isLevelEnabled(level)) return;
      const trace = traceOf(response);
      const whose = { httpRequestId: httpRequestIdOf(response), traceId: trace && traceIdOf(trace) };
      logger[level]({ ...whose, ...about }, message);
    };
  return {
    get isDebugging() {
      return logger.isLevelEnabled('debug');
    },
    debug: tell('debug'),
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
  };
}
