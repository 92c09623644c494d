import type { Request, Response } from 'express';
import { pendingForMs } from './pending-sign-in.ts';

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
export function setSessionCookie(
  response: Response,
  token: string,
  forMs: number,
  isOverHttps: boolean,
): void {
  const name = isOverHttps ? secureName : plainName;
  response.append('Set-Cookie', `${name}=${token}; ${maxAge(forMs)}${strict(isOverHttps)}`);
}

/** Takes back all that the browser keeps, as far as it lets the page's scheme. */
export function clearSessionCookies(request: Request, response: Response): void {
  const isOverHttps = isSecure(request);
  for (const name of isOverHttps ? [secureName, plainName] : [plainName]) {
    response.append('Set-Cookie', `${name}=; ${maxAge(0)}${strict(isOverHttps)}`);
  }
}

/** What the browser keeps while its person is at Entra ID; it comes along when Entra ID's page leads back here. */
export function pendingCookie(request: Request, isOverHttps: boolean): string | undefined {
  return cookies(request).find(([key]) => key === pendingName(isOverHttps))?.[1];
}

export function setPendingCookie(response: Response, sealed: string, isOverHttps: boolean): void {
  response.append(
    'Set-Cookie',
    `${pendingName(isOverHttps)}=${sealed}; ${maxAge(pendingForMs)}${lax(isOverHttps)}`,
  );
}

export function clearPendingCookie(response: Response, isOverHttps: boolean): void {
  response.append('Set-Cookie', `${pendingName(isOverHttps)}=; ${maxAge(0)}${lax(isOverHttps)}`);
}

const plainName = 'diq-session';
/** With its prefix no other host of the domain can set it; browsers take the prefix only over https. */
const secureName = `__Host-${plainName}`;

function pendingName(isOverHttps: boolean): string {
  return isOverHttps ? '__Host-diq-sign-in' : 'diq-sign-in';
}

function maxAge(forMs: number): string {
  return `Max-Age=${Math.floor(forMs / 1_000)}; Path=/; HttpOnly`;
}

function strict(isOverHttps: boolean): string {
  return `; SameSite=Strict${isOverHttps ? '; Secure' : ''}`;
}

/** Another site's page may lead here with it, and send it with nothing else. */
function lax(isOverHttps: boolean): string {
  return `; SameSite=Lax${isOverHttps ? '; Secure' : ''}`;
}

/** Whether the browser asks over https: by a trusted proxy's word, or by the browser's own, which names its origin when it signs in and out. */
export function isSecure(request: Request): boolean {
  return request.secure || /^https:/i.test(request.get('Origin') ?? '');
}
