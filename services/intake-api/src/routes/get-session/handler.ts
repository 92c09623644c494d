import type { RequestHandler } from 'express';
import type { AppParts } from '../../dependencies.ts';
import { sessionToken } from '../../auth/session-cookie.ts';

/** `GET /session`: whether the browser is signed in, as whom and until when. Never 401: a page asks before it shows a form. */
export function getSession({ sessions }: Pick<AppParts, 'sessions'>): RequestHandler {
  return async (request, response) => {
    if (!sessions) {
      response.json({ signInNeeded: false, caller: null, endsAt: null });
      return;
    }
    const token = sessionToken(request);
    const session = token === undefined ? undefined : await sessions.find(token);
    response.json({
      signInNeeded: !session?.caller.scopes.has('read'),
      caller: session?.caller.name ?? null,
      endsAt: session ? new Date(session.endsAtMs).toISOString() : null,
    });
  };
}
