import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { AppParts } from '../../dependencies.ts';
import { identifyCredential } from '../../auth/authenticate.ts';
import { parseOrRefuse } from '../../http/parse-or-400.ts';
import { ProblemError } from '../../http/problem-error.ts';
import { setSessionCookie } from '../../auth/session-cookie.ts';

const body = z.strictObject({
  // Longer ones are nobody's; whoever sends one is told as much.
  apiKey: z.string({ error: 'must be a string' }).min(1, 'must not be empty').max(512, 'must be an API key'),
});

/** Who a body's API key belongs to; wrong ones count with those of all other routes. */
export function identifyKey({
  identify,
  failedCredentials,
}: Pick<AppParts, 'identify' | 'failedCredentials'>): RequestHandler {
  return async (request, response, next) => {
    const { apiKey } = parseOrRefuse(body, request.body, 'the body');
    if (identify)
      response.locals['caller'] = await identifyCredential(identify, failedCredentials, response, apiKey);
    next();
  };
}

/** `POST /session`: gives the browser a session for an API key that may read. */
export function signIn({ sessions }: Pick<AppParts, 'sessions'>): RequestHandler {
  return async (request, response) => {
    const { apiKey } = parseOrRefuse(body, request.body, 'the body');
    // Where everybody is let in there is nothing to sign in to.
    const opened = sessions && (await sessions.open(apiKey));
    if (sessions && !opened) {
      throw new ProblemError('unauthenticated', { detail: 'A session is given for an API key only.' });
    }
    if (opened) setSessionCookie(request, response, opened.token, opened.endsAtMs - Date.now());
    response.status(204).end();
  };
}
