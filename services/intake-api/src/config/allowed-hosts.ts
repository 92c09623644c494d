import { getPublicSuffix } from 'tldts';
import { z } from 'zod';
import { listEntries, parseUrl } from '@diq/runtime/settings/setting-kinds.ts';

/** A host that may be called, or part of one; `port` is `''` for the default one of the URL's scheme. */
interface AllowedHost {
  /** As URLs write it: lower case, Punycode, IPv6 in brackets. */
  hostname: string;
  port: string;
  /** Every name below `hostname`, but not `hostname` itself. */
  isWildcard: boolean;
  /** What paths must begin with, up to a `/`; `''`: any path. */
  path: string;
}

/** A setting that lists hosts as `host`, `host:port` or `*.domain`, each with or without a path, separated by commas. */
export function allowedHosts() {
  return z.string().transform((text, context): AllowedHost[] => {
    const entries = listEntries(text);
    if (entries.length === 0)
      context.addIssue({ code: 'custom', message: 'names no host (expected at least one)' });
    const hosts = entries.map(parseEntry);
    for (const [i, host] of hosts.entries()) {
      if (typeof host === 'string') context.addIssue({ code: 'custom', message: `entry ${i + 1} ${host}` });
    }
    return hosts.filter((host) => typeof host !== 'string');
  });
}

/**
 * The receiver that a URL leads to: host, port and the longest path that is listed for it; `undefined` where none is. Each
 * receiver has a secret of its own.
 */
export function receiverOf(url: URL, hosts: readonly AllowedHost[]): string | undefined {
  const { host, hostname, port, pathname } = url;
  const paths = hosts
    .filter((one) => one.port === port)
    .filter((one) => (one.isWildcard ? hostname.endsWith(`.${one.hostname}`) : hostname === one.hostname))
    .map(({ path }) => path)
    .filter((path) => path === '' || isBelow(pathname, path));
  const [longest] = paths.toSorted((a, b) => b.length - a.length);
  return longest === undefined ? undefined : host + longest;
}

/** URL parsers resolve `.` and `..`. What only a server would take for these or for a `/` must not lead out of the path. */
function isBelow(pathname: string, path: string): boolean {
  const isInside = pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
  return isInside && isPlainPath(pathname);
}

function isPlainPath(pathname: string): boolean {
  return pathname.split('/').every((segment) => {
    const text = decoded(segment);
    // Of `..;x` some servers see `..`; others decode twice.
    const name = text?.split(';', 1)[0] ?? '';
    return text !== undefined && !/[/\\\p{Cc}]|%[0-9a-f]{2}/iu.test(text) && !/^[.\s]+$/.test(name);
  });
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

const unusable =
  'is not usable (expected host, host:port or *.domain, without scheme, and with a plain path or none)';

/** The host, or what is wrong with the entry. */
function parseEntry(entry: string): AllowedHost | string {
  const isWildcard = entry.startsWith('*.');
  const given = isWildcard ? entry.slice(2) : entry;
  const [, host = '', path = ''] = /^([^/]*)(.*)$/.exec(given) ?? [];
  if (/[\s?#@*\\]/.test(given)) return unusable;
  const url = parseUrl(`https://${host}`);
  if (!url || !isWrittenPlainly(host, path)) return unusable;
  if (isWildcard && !/^[^.].*\.[a-z]/.test(url.hostname)) return unusable;
  if (isWildcard && isOpenToEverybody(url.hostname)) {
    return 'lets everybody in: names below this domain are given to anybody who asks (expected a domain of your own)';
  }
  return { hostname: url.hostname, port: url.port, isWildcard, path: path === '/' ? '' : path };
}

/** As URLs have it: nothing to resolve, to decode or to encode. */
function isWrittenPlainly(host: string, path: string): boolean {
  const pathname = parseUrl(`https://${host}${path}`)?.pathname;
  return path === '' || (pathname === path && !path.includes('//') && isPlainPath(path));
}

/** Names below a public suffix belong to others: `*.co.uk` or `*.azurewebsites.net` would be as good as everybody. */
function isOpenToEverybody(domain: string): boolean {
  return getPublicSuffix(domain, { allowPrivateDomains: true }) === domain.replace(/\.$/, '');
}
