const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

export interface BaseUrl {
  /** Scheme, host and port. */
  readonly origin: string;
  /** What comes before the operation's path; empty or beginning with a slash, never ending with one. */
  readonly pathPrefix: string;
}

/**
 * Checks the address that tokens will be sent to: https, or http on this machine alone.
 * Throws RangeError without repeating the address, which may carry a password.
 */
export function parseBaseUrl(baseUrl: string): BaseUrl {
  if (!URL.canParse(baseUrl)) throw new RangeError('the base URL is not a URL');
  const { protocol, hostname, origin, pathname, username, password, search, hash } = new URL(baseUrl);
  const allowed = protocol === 'https:' || (protocol === 'http:' && loopbackHosts.has(hostname));
  if (!allowed) throw new RangeError('the base URL must be https, or http on a loopback address');
  if (username !== '' || password !== '' || search !== '' || hash !== '') {
    throw new RangeError('the base URL must consist of scheme, host, port and path only');
  }
  return { origin, pathPrefix: pathname.replace(/(?<!\/)\/+$/, '') };
}

/**
 * `/api/machines/{id}/{action}` with the id encoded as one path segment.
 * Throws RangeError for an empty id and for dot segments, which no encoding keeps from being resolved on the way.
 */
export function machineActionPath(machineId: string, action: string): string {
  if (machineId === '' || machineId === '.' || machineId === '..') {
    throw new RangeError('the machine id is not a path segment');
  }
  return `/api/machines/${encodeURIComponent(machineId)}/${action}`;
}
