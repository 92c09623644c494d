import type { Response } from 'express';
import type { Caller } from './api-keys.ts';
import { goneOrUnknown } from '../http/find-or-404.ts';
import { callerOf, insufficientScope } from './authenticate.ts';
import { ProblemError } from '../http/problem-error.ts';

/** The caller that was identified in front of this route. */
export function identifiedCaller(response: Response): Caller {
  const caller = callerOf(response);
  if (!caller) throw new Error('nobody was identified in front of this route');
  return caller;
}

/** Whether the caller may see what anybody asked for. */
export function mayRead(response: Response): boolean {
  return identifiedCaller(response).scopes.has('read');
}

/** The caller whose requests alone this one may change and cancel; `undefined` for `admin`, which may all. */
export function ownerActedFor(response: Response): string | undefined {
  const { name, scopes } = identifiedCaller(response);
  return scopes.has('admin') ? undefined : name;
}

/**
 * Refuses to change or cancel what another caller asked for, or what was recorded before callers were. A caller that may
 * not read gets the answer for an unknown id: it does not learn that the id is another's.
 *
 * @throws ProblemError 403 or 404
 */
export function refuseUnlessOwn(
  response: Response,
  owner: string | undefined,
  notFound: 'request_not_found' | 'batch_not_found',
): void {
  const own = ownerActedFor(response);
  if (own === undefined || own === owner) return;
  if (!mayRead(response)) throw new ProblemError(notFound, { detail: goneOrUnknown });
  throw new ProblemError('not_owner', {
    detail: "Another caller asked for it; only that one and the scope 'admin' may change or cancel it.",
    headers: insufficientScope('admin'),
  });
}
