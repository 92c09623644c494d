import type { RequestHandler } from 'express';
import type { AppParts } from '../../dependencies.ts';
import { clearSessionCookie, sessionToken } from '../../auth/session-cookie.ts';

/** `DELETE /session`: ends the session, here and in the browser. Without one there is nothing to do. */
export function signOut({ sessions }: Pick<AppParts, 'sessions'>): RequestHandler {
  return async (request, response) => {
    const token = sessionToken(request);
    if (token !== undefined) await sessions?.close(token);
    clearSessionCookie(request, response);
    response.status(204).end();
  };
}
