import type { Request, RequestHandler, Response } from 'express';
import { scopes } from '../api-keys.ts';
import type { Caller, IdentifyCaller, Scope } from '../api-keys.ts';
import { ProblemError } from '../problem-error.ts';

/** Lets in whoever shows a known credential, before anything of the body is read. */
export function authenticate(identify: IdentifyCaller): RequestHandler {
  return (request, response, next) => {
    const caller = identify(presentedCredential(request));
    if (!caller) throw unauthenticated('The credential is not known here.', 'error="invalid_token"');
    response.locals['caller'] = caller;
    next();
  };
}

/** For INTAKE_AUTH=off: everybody may do everything. */
export const letEverybodyIn: RequestHandler = (_request, response, next) => {
  const caller: Caller = { name: 'anybody', scopes: new Set(scopes) };
  response.locals['caller'] = caller;
  next();
};

/** Refuses a caller whose credential does not include the scope. */
export function requireScope(scope: Scope): RequestHandler {
  return (_request, response, next) => {
    if (!callerOf(response)?.scopes.has(scope)) {
      throw new ProblemError('forbidden', {
        detail: `The credential lacks the scope '${scope}'.`,
        headers: { 'WWW-Authenticate': challenge(`error="insufficient_scope", scope="${scope}"`) },
      });
    }
    next();
  };
}

/** Who is calling; `undefined` before that was found out. */
export function callerOf(response: Response): Caller | undefined {
  return response.locals['caller'] as Caller | undefined;
}

function presentedCredential(request: Request): string {
  const authorization = request.get('Authorization');
  const apiKey = request.get('X-API-Key')?.trim();
  if (authorization === undefined && apiKey === undefined) {
    throw unauthenticated('Send a key as `Authorization: Bearer <key>` or `X-API-Key: <key>`.');
  }
  const bearer = authorization === undefined ? apiKey : /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (!bearer) throw unauthenticated('The credential cannot be read: send `Authorization: Bearer <key>`.');
  if (apiKey !== undefined && apiKey !== bearer) {
    throw unauthenticated('Authorization and X-API-Key carry different credentials; send one.');
  }
  return bearer;
}

function unauthenticated(detail: string, error?: string): ProblemError {
  return new ProblemError('unauthenticated', { detail, headers: { 'WWW-Authenticate': challenge(error) } });
}

function challenge(error?: string): string {
  return `Bearer realm="investigations"${error === undefined ? '' : `, ${error}`}`;
}
