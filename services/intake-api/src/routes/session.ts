import type { Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import { identifyCredential, scopesOfEverybody } from '../auth/authenticate.ts';
import { createOwnSite } from '../auth/require-own-site.ts';
import {
  allSessionTokens,
  clearSessionCookies,
  isSecure,
  sessionToken,
  setSessionCookie,
} from '../auth/session-cookie.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { defineBrowserRoute } from '../http/define-route.ts';
import { ProblemError } from '../http/problem-error.ts';
import { requireScope } from '../http/request-context.ts';

const path = '/session';
const signInBodyLimitBytes = 4 * 1_024;
const ownOriginOnly = ({ hostNames }: ServiceDependencies) => [createOwnSite(hostNames).requireOwnOrigin];

/** Whether the browser is signed in, as whom, with which scopes and until when. Never 401: a page asks before it shows a form. */
export const getSession = defineBrowserRoute({
  method: 'get',
  path,
  async handle({ request, response }, { sessions, entraSignIn }: ServiceDependencies) {
    const entra = entraSignIn !== undefined;
    if (!sessions) {
      const scopes = [...scopesOfEverybody];
      response.json({ signInNeeded: false, caller: null, displayName: null, scopes, endsAt: null, entra });
      return;
    }
    const token = sessionToken(request);
    const session = token === undefined ? undefined : await sessions.find(token);
    response.json({
      signInNeeded: !session?.caller.scopes.has('read'),
      caller: session?.caller.name ?? null,
      /** For people to read: of a person the name, else that of the key. */
      displayName: session?.caller.displayName ?? session?.caller.name ?? null,
      scopes: [...(session?.caller.scopes ?? [])],
      endsAt: session ? new Date(session.endsAtMs).toISOString() : null,
      /** Whether people can sign in with Entra ID. */
      entra,
    });
  },
});

const credential = z.strictObject({
  // Longer ones are no key.
  apiKey: z.string({ error: 'must be a string' }).min(1, 'must not be empty').max(512, 'must be an API key'),
  /** For a screen on a wall: a session that only looks, and lasts long. */
  kiosk: z.boolean({ error: 'must be true or false' }).optional(),
});

/** Gives the browser a session for an API key that may read. Wrong keys count with those of all other routes. */
export const signIn = defineBrowserRoute({
  method: 'post',
  path,
  guards: ownOriginOnly,
  body: { schema: credential, limitBytes: signInBodyLimitBytes },
  async handle(
    { body: { apiKey, kiosk }, context, request, response },
    { identify, failedCredentials, limitRate, sessions }: ServiceDependencies,
  ) {
    if (identify)
      context.identified = await identifyCredential(identify, failedCredentials, response, apiKey);
    if (limitRate) await passed(limitRate, request, response);
    if (identify) requireScope(context, 'read');
    // Without INTAKE_AUTH there is nothing to sign in to.
    const opened = sessions && (await sessions.open(apiKey, kiosk ? 'looking' : 'acting'));
    if (sessions && !opened) {
      throw new ProblemError('unauthenticated', { detail: 'A session is given for an API key only.' });
    }
    if (opened) {
      await sessions.close(...allSessionTokens(request));
      setSessionCookie(response, opened.token, opened.endsAtMs - Date.now(), isSecure(request));
    }
    response.status(204).end();
  },
});

/** Ends all sessions that the browser brings, here and in the browser. Without one there is nothing to do. */
export const signOut = defineBrowserRoute({
  method: 'delete',
  path,
  guards: ownOriginOnly,
  async handle({ request, response }, { sessions }: ServiceDependencies) {
    await sessions?.close(...allSessionTokens(request));
    clearSessionCookies(request, response);
    response.status(204).end();
  },
});

/** Rejects with what the handler refuses the request for. */
export function passed(handler: RequestHandler, request: Request, response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    void handler(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
}
