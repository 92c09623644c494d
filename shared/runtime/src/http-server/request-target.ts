import type { IncomingMessage } from 'node:http';

/** Where load balancers and Prometheus look; without a credential. */
export const opsPaths: readonly string[] = ['/livez', '/readyz', '/metrics'];

/**
 * Steps of unreserved characters (RFC 3986 2.3), each with a slash before it and none behind the last: the one spelling
 * that a path has here. So nothing is percent-encoded, no step is empty and none is `.` or `..`.
 */
const canonicalForm = /^(?:\/|(?:\/(?!\.{1,2}(?:[/?]|$))[\w.~-]+)+)(?:\?[^#]*)?$/;
const absoluteForm = /^https?:\/\/[^/?#]+/i;

/**
 * Rewrites a target in absolute form (`POST http://host/path`, as forward proxies send it), which every server must take
 * (RFC 9112 3.2.2). Not one that leads to an operations route: a proxy in front of the service is to keep those inside,
 * and its rule may look at the target as it is written.
 */
export function toOriginForm(request: Pick<IncomingMessage, 'url'>): void {
  const target = request.url ?? '';
  const authority = absoluteForm.exec(target)?.[0];
  if (authority === undefined) return;
  const rest = target.slice(authority.length);
  const originForm = rest.startsWith('/') ? rest : `/${rest}`;
  if (!opsPaths.includes(withoutQuery(originForm))) request.url = originForm;
}

/** Whether a target is spelt in the one way in which it names a route. */
export function isCanonical(target: string): boolean {
  return canonicalForm.test(target);
}

/** The path of any target, to be shown; what a target says beside it may be a credential. */
export function pathOfTarget(target: string): string {
  if (isCanonical(target)) return withoutQuery(target);
  const url = target.startsWith('/') ? `http://host${target}` : target;
  return URL.canParse(url) ? new URL(url).pathname : '/';
}

function withoutQuery(target: string): string {
  return target.replace(/\?.*$/s, '');
}
