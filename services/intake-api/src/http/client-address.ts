import { isIP } from 'node:net';
import type { Request } from 'express';

/** `1.2.3.4:443` and `[2001:db8::1]:443`, as some load balancers write it. */
const withPort = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::\d{1,5})?$/i;

/**
 * The address that a request came from: that of the connection, or what the proxies said that are trusted
 * (INTAKE_TRUSTED_PROXIES). What they passed on is the caller's own word, so it counts only where it is an address.
 * `''` once the connection is gone.
 */
export function clientAddress(request: Request): string {
  const told = request.ip ?? '';
  if (isIP(told) !== 0) return told;
  const [, six, four] = withPort.exec(told.slice(0, 64)) ?? [];
  const address = six ?? four ?? '';
  return isIP(address) !== 0 ? address : (request.socket.remoteAddress ?? '');
}
