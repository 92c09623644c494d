import type { Response } from 'express';
import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import type { OperationProfile, ResultKind } from '@diq/contracts/operations/profile.ts';
import { contextOf, requireScope, scopeToAskFor } from '../http/request-context.ts';
import { DefenderError } from './answer-as-defender.ts';
import { askerOf } from './identify-asker.ts';
import { readingRoles } from './microsoft-tokens.ts';

/**
 * Refuses an operation that the asker may not ask for: with a token of Microsoft's by the role that Defender asks for, with one of
 * ours by the scope of its risk.
 *
 * @throws ProblemError or DefenderError 403
 */
export function requireOperation(response: Response, operation: OperationName): void {
  const { defenderRoles } = askerOf(response).caller;
  const { requiredRole }: OperationProfile = profileOf(operation);
  if (defenderRoles === undefined) requireScope(contextOf(response), scopeToAskFor(operation));
  else if (!defenderRoles.has(requiredRole)) throw missingRoles([requiredRole]);
}

/** Whether the asker may see what others asked for and got. An application sees without such a role what it asked for itself. */
export function mayReadAll(response: Response, kind: ResultKind): boolean {
  const { defenderRoles } = askerOf(response).caller;
  return defenderRoles === undefined || readingRoles[kind].some((role) => defenderRoles.has(role));
}

/** Links lead to what was collected from machines: Defender asks for a role to read, also of the application that asked for the action. @throws DefenderError 403 */
export function requireReadingRole(response: Response, kind: ResultKind): void {
  if (!mayReadAll(response, kind)) throw missingRoles(readingRoles[kind]);
}

function missingRoles(roles: readonly string[]): DefenderError {
  const message = `Missing application roles. API required roles: ${roles.join(',')}.`;
  return new DefenderError(403, 'Forbidden', message);
}
