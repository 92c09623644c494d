import { goneOrUnknown } from '../http/find-or-404.ts';
import { ProblemError } from '../http/problem-error.ts';
import { insufficientScope, type RequestContext } from '../http/request-context.ts';

/** Whether the caller may see what anybody asked for. */
export function mayRead({ caller }: RequestContext): boolean {
  return caller.scopes.has('read');
}

/** The caller whose requests alone this one may change and cancel; `undefined` for `admin`, which may all. */
export function ownerActedFor({ caller }: RequestContext): string | undefined {
  return caller.scopes.has('admin') ? undefined : caller.name;
}

/**
 * Refuses to change or cancel what another caller asked for, or what was recorded before callers were. A caller that may
 * not read gets the answer for an unknown id: it does not learn that the id is another's.
 *
 * @throws ProblemError 403 or 404
 */
export function refuseUnlessOwn(
  context: RequestContext,
  owner: string | undefined,
  notFound: 'request_not_found' | 'batch_not_found',
): void {
  const own = ownerActedFor(context);
  if (own === undefined || own === owner) return;
  if (!mayRead(context)) throw new ProblemError(notFound, { detail: goneOrUnknown });
  throw new ProblemError('not_owner', {
    detail:
      "Another caller asked for it; only that one and the scope 'admin' may change, cancel or retry it.",
    headers: insufficientScope('admin'),
  });
}
