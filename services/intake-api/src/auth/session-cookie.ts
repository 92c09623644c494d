import type { Request, Response } from 'express';

/** The token that the browser brings; `undefined` where it brings none. */
export function sessionToken(request: Request): string | undefined {
  const valueOf = (name: string) => cookies(request).find(([key]) => key === name)?.[1];
  // Behind a proxy that is not counted nothing but a POST says that the browser is asking over https.
  return valueOf(secureName) ?? (request.secure ? undefined : valueOf(plainName));
}

/** All that it brings, as one that was signed in over http and over https does: also those that do not count now. */
export function allSessionTokens(request: Request): string[] {
  return cookies(request).flatMap(([key, value]) =>
    value !== undefined && (key === secureName || key === plainName) ? [value] : [],
  );
}

function cookies(request: Request): string[][] {
  return (request.get('Cookie') ?? '').split(';').map((pair) => pair.trim().split('=', 2));
}

/** Gives the browser a token that no script can read and that no other site's page makes it send. */
export function setSessionCookie(request: Request, response: Response, token: string, forMs: number): void {
  response.append(
    'Set-Cookie',
    `${cookieName(request)}=${token}; Max-Age=${Math.floor(forMs / 1_000)}${attributes(request)}`,
  );
}

/** Takes back all that the browser keeps, as far as it lets the page's scheme. */
export function clearSessionCookies(request: Request, response: Response): void {
  for (const name of isSecure(request) ? [secureName, plainName] : [plainName]) {
    response.append('Set-Cookie', `${name}=; Max-Age=0${attributes(request)}`);
  }
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
