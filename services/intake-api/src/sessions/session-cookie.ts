import type { Request, Response } from 'express';

/** The token that the browser brings; `undefined` where it brings none. */
export function sessionToken(request: Request): string | undefined {
  const name = cookieName(request);
  for (const pair of (request.get('Cookie') ?? '').split(';')) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
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

/** With its prefix no other host of the domain can set it; browsers take the prefix only over https. */
function cookieName({ secure }: Request): string {
  return secure ? '__Host-diq-session' : 'diq-session';
}

function attributes({ secure }: Request): string {
  return `; Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
}
