import type { Request, RequestHandler, Response } from 'express';
import { nameOfAnybody, scopes, type Caller } from '../config/callers.ts';
import { KeysUnreachable } from './entra-tokens.ts';
import { challenge, clientAddress, contextOf } from '../http/request-context.ts';
import type { FailedCredentials } from './brute-force-guard.ts';
import type { IdentifyCaller } from './api-keys.ts';
import { ProblemError } from '../http/problem-error.ts';
import type { createOwnSite } from './require-own-site.ts';
import { sessionToken } from './session-cookie.ts';
import type { SessionStore } from './session-store.ts';

/** Entra ID is seldom away for longer than a moment. */
const keysRetryAfterSeconds = 5;

/**
 * Admits callers with a known credential before the body is read. A browser's session is enough for requests without a
 * credential of their own; changes by it must come from the service's own page.
 */
export function authenticate(
  identify: IdentifyCaller,
  failed: FailedCredentials,
  sessions: SessionStore | undefined,
  ownSite: ReturnType<typeof createOwnSite>,
): RequestHandler {
  return async (request, response, next) => {
    const token = hasCredential(request) ? undefined : sessionToken(request);
    const context = contextOf(response);
    if (sessions && token !== undefined) {
      if (!['GET', 'HEAD'].includes(request.method)) requireOwnPage(request, ownSite);
      const session = await sessions.find(token);
      if (!session) throw unauthenticated('The session is over: sign in again.');
      context.identified = session.caller;
      context.isSignedIn = async () => (await sessions.find(token)) !== undefined;
    } else {
      context.identified = await identifyCredential(identify, failed, response, presentedCredential(request));
    }
    next();
  };
}

/** Whose credential it is. @throws ProblemError where it is unknown, or may not even be tried. */
export async function identifyCredential(
  identify: IdentifyCaller,
  failed: FailedCredentials,
  response: Response,
  credential: string,
): Promise<Caller> {
  const trial = failed.begin(clientAddress(response.req), credential);
  if ('refusedForMs' in trial) {
    throw new ProblemError('rate_limited', {
      detail: 'Too many wrong credentials came from this address; this one was not checked.',
      headers: { 'Retry-After': String(Math.ceil(trial.refusedForMs / 1_000)) },
    });
  }
  const identity = await identify(credential).catch((error: unknown) => {
    trial.undecided();
    if (!(error instanceof KeysUnreachable)) throw error;
    contextOf(response).log.warn({ err: error }, 'token cannot be verified');
    throw new ProblemError('identity_unavailable', {
      detail: 'The signing keys of the tokens cannot be read at the moment. API keys are still accepted.',
      headers: { 'Retry-After': String(keysRetryAfterSeconds) },
    });
  });
  if (identity.kind === 'unknown') {
    trial.wrong();
    throw unauthenticated(identity.why, `error="invalid_token", error_description="${identity.why}"`);
  }
  trial.good();
  return identity.caller;
}

function hasCredential(request: Request): boolean {
  return ['Authorization', 'X-API-Key'].some((name) => request.get(name) !== undefined);
}

/**
 * Browsers send the cookie by themselves, so it proves who, and not from where. That a script of the own page is asking is
 * seen by its origin, under a name of the service's own, and by a type that no form can send.
 */
function requireOwnPage(request: Request, ownSite: ReturnType<typeof createOwnSite>): void {
  ownSite.checkHost(request);
  ownSite.checkOrigin(request);
  // A DELETE is no form's, and other origins' scripts have to ask for it first.
  if (request.method !== 'DELETE' && !/^application\/json *(;|$)/i.test(request.get('Content-Type') ?? '')) {
    throw new ProblemError('unsupported_media_type', {
      detail: 'With a session send `Content-Type: application/json`, also without a body.',
    });
  }
}

/** What everybody may do with INTAKE_AUTH=off. */
export const scopesOfEverybody = new Set(scopes);

/** For INTAKE_AUTH=off: every caller has every scope. */
export const letEverybodyIn: RequestHandler = (_request, response, next) => {
  contextOf(response).identified = { name: nameOfAnybody, scopes: scopesOfEverybody, tenants: 'all' };
  next();
};

function presentedCredential(request: Request): string {
  const authorization = onlyOne(request, 'Authorization');
  const apiKey = onlyOne(request, 'X-API-Key');
  if (authorization === undefined && apiKey === undefined) {
    throw unauthenticated('Send a key as `Authorization: Bearer <key>` or `X-API-Key: <key>`.');
  }
  // A gateway's own Basic credentials beside a key are none of ours.
  const isOthers = apiKey !== undefined && authorization !== undefined && !/^Bearer /i.test(authorization);
  const bearer =
    authorization === undefined || isOthers ? apiKey : /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (!bearer) throw unauthenticated('The credential cannot be read: send `Authorization: Bearer <key>`.');
  if (apiKey !== undefined && apiKey !== bearer) {
    throw unauthenticated('Authorization and X-API-Key carry different credentials; send one.');
  }
  return bearer;
}

/** The header's value. Node keeps one of two, or joins them: which was meant is not known here. */
function onlyOne(request: Request, name: string): string | undefined {
  const values = new Set(request.headersDistinct[name.toLowerCase()]?.map((value) => value.trim()));
  if (values.size > 1)
    throw unauthenticated(`${name} is sent more than once, with different values; send one.`);
  return values.values().next().value;
}

function unauthenticated(detail: string, error?: string): ProblemError {
  return new ProblemError('unauthenticated', { detail, headers: { 'WWW-Authenticate': challenge(error) } });
}
