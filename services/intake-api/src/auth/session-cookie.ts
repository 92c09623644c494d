import type { Request, Response } from 'express';

/** The token that the browser brings; `undefined` where it brings none. */
export function sessionToken(request: Request): string | undefined {
  const pairs = (request.get('Cookie') ?? '').split(';').map((pair) => pair.trim().split('=', 2));
  const valueOf = (name: string) => pairs.find(([key]) => key === name)?.[1];
  // Behind a proxy that is not counted nothing but a POST says that the browser is asking over https.
  return valueOf(secureName) ?? (request.secure ? undefined : valueOf(plainName));
}

/** Gives the browser a token that no script can read and that no other site's page makes it send. */
export function setSessionCookie(request: Request, response: Response, token: string, forMs: number): void {
  response.append(
    'Set-Cookie',
    `${cookieName(request)}=${token}; Max-Age=${Math.floor(forMs / 1_000)}${attributes(request)}`,
  );
}

export function clearSessionCookie(request: Request, response: Response): void {
  response.append('Set-Cookie', `${cookieName(request)}=; Max-Age=0${attributes(request)}`);
}

const plainName = 'diq-session';
/** With its prefix no other host of the domain can set it; browsers take the prefix only over https. */
const secureName = `__Host-${plainName}`;

function cookieName(request: Request): string {
  return isSecure(request) ? secureName : plainName;
}

function attributes(request: Request): string {
  return `; Path=/; HttpOnly; SameSite=Strict${isSecure(request) ? '; Secure' : ''}`;
}

/** By a trusted proxy's word, or by the browser's own, which names its origin when it signs in and out. */
function isSecure(request: Request): boolean {
  return request.secure || /^https:/i.test(request.get('Origin') ?? '');
}
