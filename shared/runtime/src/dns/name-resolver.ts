import { Resolver } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { isIP, type LookupFunction } from 'node:net';
import { callbackify } from 'node:util';

/** All addresses of a name, those of IPv4 first, at least one. @throws NameError */
export type ResolveName = (hostname: string) => Promise<LookupAddress[]>;

/** No address was found. The code is the one that the system's own resolver would give. */
export class NameError extends Error {
  override readonly name = 'NameError';
  /** `ENOTFOUND`: there is no such name, or it has no address. `EAI_AGAIN`: no DNS server could say. */
  readonly code: 'ENOTFOUND' | 'EAI_AGAIN';

  constructor(hostname: string, code: 'ENOTFOUND' | 'EAI_AGAIN', cause?: unknown) {
    super(`${hostname} cannot be resolved (${code})`, { cause });
    this.code = code;
  }
}

export interface NameResolverOptions {
  /** For a whole lookup, with every server and search domain. Default 5 s. */
  timeoutMs?: number | undefined;
  /** `address:port` of DNS servers, instead of those in `resolv.conf`. */
  servers?: readonly string[] | undefined;
  hostsFile?: string | undefined;
  resolvConf?: string | undefined;
}

/** One server is given up for the next after this long, and asked again after twice as long. */
const firstTryMs = 1_000;
const tries = 3;

/**
 * Resolves names as the system would, by its hosts file, DNS servers and search domains, but not by `getaddrinfo`: that
 * runs in a pool of Node's which has two places for lookups, ends when it likes (one server that never answers: 10 s or
 * more for each search domain) and cannot be taken back, so two names of which DNS says nothing would keep every other
 * from being resolved, that of Redis among them. Here a lookup takes no place in the pool, ends in time, and is
 * shared by all who ask for the name meanwhile.
 */
export function createNameResolver(options: NameResolverOptions = {}): ResolveName {
  const underWay = new Map<string, Promise<LookupAddress[]>>();
  return (hostname) => {
    const joined = underWay.get(hostname);
    if (joined) return joined;
    const lookup = lookUp(hostname, options).finally(() => underWay.delete(hostname));
    underWay.set(hostname, lookup);
    return lookup;
  };
}

/** For `lookup` of sockets, agents and connectors. */
export function lookupBy(resolve: ResolveName): LookupFunction {
  const ask = callbackify(resolve);
  return (hostname, { all }, callback) => {
    ask(hostname, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error) callback(error, '', 0);
      else if (all === true) callback(null, addresses);
      else callback(null, first?.address ?? '', first?.family ?? 0);
    });
  };
}

async function lookUp(hostname: string, options: NameResolverOptions): Promise<LookupAddress[]> {
  const { timeoutMs = 5_000, hostsFile = '/etc/hosts', resolvConf = '/etc/resolv.conf' } = options;
  const name = hostname.toLowerCase().replace(/\.$/, '');
  const listed = addressesIn(await textOf(hostsFile), name);
  if (listed.length > 0) return listed;
  // RFC 6761, 6.3: never a matter of DNS.
  if (name === 'localhost' || name.endsWith('.localhost')) {
    return [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ];
  }
  // A new one each time: what stands in `resolv.conf` may have changed, and to cancel is to cancel all of its queries.
  const resolver = new Resolver({ timeout: firstTryMs, tries });
  if (options.servers) resolver.setServers(options.servers);
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    resolver.cancel();
  }, timeoutMs);
  try {
    let error = new NameError(hostname, 'ENOTFOUND');
    for (const candidate of searchCandidates(hostname, await textOf(resolvConf))) {
      const found = await ask(resolver, candidate);
      if (found.addresses.length > 0) return found.addresses;
      if (found.doubt !== undefined) error = new NameError(hostname, 'EAI_AGAIN', found.doubt);
      // A server that fails may know another name; one that does not answer would not answer to that either.
      if (isOver || found.isSilent) break;
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Both families at once. One that fails does not take away what the other brought. */
async function ask(resolver: Resolver, name: string) {
  const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const failed = [four, six].flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  const doubt = failed.find((reason) => !['ENOTFOUND', 'ENODATA'].includes(codeOf(reason)));
  return {
    addresses: [
      ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
      ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
    ],
    /** Why it is not certain that there are no more. */
    doubt,
    isSilent: doubt !== undefined && codeOf(doubt) !== 'ESERVFAIL',
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Of a hosts file: `address name alias … # comment`. */
function addressesIn(hosts: string, name: string): LookupAddress[] {
  const addresses = hosts.split('\n').flatMap((line) => {
    const [address = '', ...names] = (line.split('#')[0] ?? '').trim().split(/\s+/);
    const family = isIP(address);
    return family !== 0 && names.some((one) => one.toLowerCase() === name) ? [{ address, family }] : [];
  });
  return addresses.toSorted((a, b) => a.family - b.family);
}

/** A file that is not there says nothing. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** glibc's, too. */
const maxDomains = 6;

/**
 * The names to ask DNS for, one after the other, as `resolv.conf` has it: a name with fewer dots than `ndots` is looked for
 * below the search domains first, any other as it stands first. One that ends with a dot is complete.
 */
function searchCandidates(hostname: string, resolvConf: string): string[] {
  if (hostname.endsWith('.')) return [hostname.slice(0, -1)];
  let domains: string[] = [];
  let ndots = 1;
  for (const line of resolvConf.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    // The last of these lines is the one that counts.
    if (keyword === 'search') domains = words.slice(0, maxDomains);
    if (keyword === 'domain') domains = words.slice(0, 1);
    if (keyword !== 'options') continue;
    for (const word of words) ndots = Number(/^ndots:(\d{1,2})$/.exec(word)?.[1] ?? ndots);
  }
  const below = domains.map((domain) => `${hostname}.${domain.replace(/\.$/, '')}`).filter(isName);
  const dots = hostname.split('.').length - 1;
  return dots >= ndots ? [hostname, ...below] : [...below, hostname];
}

/** The domain `.`, which some systems write, leaves nothing to put behind a name. */
function isName(name: string): boolean {
  return !name.endsWith('.') && name.length <= 253;
}
