import { ProblemError } from './problem-error.ts';
import type { RequestContext } from './request-context.ts';
import type { Scope } from '../auth/api-keys.ts';

/** @throws ProblemError 403 for a caller whose credential does not include the scope. */
export function requireScope(context: RequestContext, scope: Scope): void {
  if (context.identified?.scopes.has(scope)) return;
  throw new ProblemError('forbidden', {
    detail: `The credential lacks the scope '${scope}'.`,
    headers: insufficientScope(scope),
  });
}

/** The header that says which scope would do. */
export function insufficientScope(scope: Scope): Record<string, string> {
  return { 'WWW-Authenticate': challenge(`error="insufficient_scope", scope="${scope}"`) };
}

/** The value of `WWW-Authenticate`. */
export function challenge(error?: string): string {
  return `Bearer realm="investigations"${error === undefined ? '' : `, ${error}`}`;
}
