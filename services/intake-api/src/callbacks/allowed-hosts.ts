import { getPublicSuffix } from 'tldts';
import { z } from 'zod';
import { parseUrl } from '@diq/runtime/parse-url.ts';

/** A host that may be called; `port` is `''` for the default one of the URL's scheme. */
export interface AllowedHost {
  /** As URLs write it: lower case, Punycode, IPv6 in brackets. */
  hostname: string;
  port: string;
  /** Every name below `hostname`, but not `hostname` itself. */
  isWildcard: boolean;
}

/** A setting that lists hosts as `host`, `host:port` or `*.domain`, separated by commas. */
export function allowedHosts() {
  return z.string().transform((text, context): AllowedHost[] => {
    const entries = text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    if (entries.length === 0)
      context.addIssue({ code: 'custom', message: 'names no host (expected at least one)' });
    const hosts = entries.map(parseEntry);
    for (const [i, host] of hosts.entries()) {
      if (typeof host === 'string') context.addIssue({ code: 'custom', message: `entry ${i + 1} ${host}` });
    }
    return hosts.filter((host) => typeof host !== 'string');
  });
}

/** Whether a URL leads to one of these hosts, on a port that is listed with it. */
export function isAllowedHost({ hostname, port }: URL, hosts: readonly AllowedHost[]): boolean {
  return hosts.some(
    (host) =>
      host.port === port &&
      (host.isWildcard ? hostname.endsWith(`.${host.hostname}`) : hostname === host.hostname),
  );
}

const unusable = 'is not usable (expected host, host:port or *.domain, without scheme and path)';

/** The host, or what is wrong with the entry. */
function parseEntry(entry: string): AllowedHost | string {
  const isWildcard = entry.startsWith('*.');
  const host = isWildcard ? entry.slice(2) : entry;
  if (/[\s/?#@*\\]/.test(host)) return unusable;
  const url = parseUrl(`https://${host}`);
  if (!url) return unusable;
  if (isWildcard && !/^[^.].*\.[a-z]/.test(url.hostname)) return unusable;
  if (isWildcard && isOpenToEverybody(url.hostname)) {
    return 'lets everybody in: names below this domain are given to anybody who asks (expected a domain of your own)';
  }
  return { hostname: url.hostname, port: url.port, isWildcard };
}

/** Names below a public suffix belong to others: `*.co.uk` or `*.azurewebsites.net` would be as good as everybody. */
function isOpenToEverybody(domain: string): boolean {
  return getPublicSuffix(domain, { allowPrivateDomains: true }) === domain.replace(/\.$/, '');
}
