import type { RequestHandler } from 'express';
import { ProblemError } from '../problem-error.ts';

/** Last in a route: names the methods that it does offer. */
export function methodNotAllowed(...offered: ('GET' | 'POST' | 'PATCH' | 'DELETE')[]): RequestHandler {
  // Express answers HEAD wherever there is a GET.
  const allowed = offered.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  return (request) => {
    throw new ProblemError('method_not_allowed', {
      detail: `The route offers ${allowed}, not ${request.method}.`,
      headers: { Allow: allowed },
    });
  };
}
