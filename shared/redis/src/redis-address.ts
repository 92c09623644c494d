import { parseUrl } from '@diq/runtime/settings/setting-kinds.ts';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** How a server is talked to, wherever it is. */
export interface RedisAccess {
  readonly username?: string;
  readonly password?: string;
  /** True for `rediss://`. */
  readonly tls: boolean;
}

export interface RedisNode extends RedisAccess, HostAndPort {
  readonly kind: 'node';
  readonly db: number;
}

/** A primary with replicas, which the sentinels know and fail over. */
export interface RedisBehindSentinels extends RedisAccess {
  readonly kind: 'sentinels';
  readonly sentinels: readonly HostAndPort[];
  /** The primary's name among the sentinels. */
  readonly name: string;
  readonly sentinelPassword?: string;
  readonly db: number;
}

export interface RedisCluster extends RedisAccess {
  readonly kind: 'cluster';
  /** Those that are asked first; the others are found through them. */
  readonly nodes: readonly HostAndPort[];
}

/** Where Redis is. */
export type RedisAddress = RedisNode | RedisBehindSentinels | RedisCluster;

/**
 * Takes a `redis://` or `rediss://` URL apart.
 *
 * @throws TypeError saying what is wrong and expected; it never repeats the URL, which may hold a password.
 */
export function parseRedisUrl(url: string): RedisNode {
  const parsed = parseUrl(url.trim());
  if (!parsed || (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') || parsed.hostname === '') {
    throw new TypeError('not a Redis address (expected redis://host:6379 or rediss://host:6379)');
  }
  if (parsed.search || parsed.hash) {
    throw new TypeError('holds a query or fragment (expected redis://[user:password@]host:port[/database])');
  }
  const database = /^\/?(\d{0,4})$/.exec(parsed.pathname);
  if (!database) throw new TypeError('the database is not a number (expected such as redis://host:6379/0)');
  return {
    kind: 'node',
    host: withoutBrackets(parsed.hostname),
    port: parsed.port === '' ? 6379 : Number(parsed.port),
    db: Number(database[1] ?? 0),
    ...(parsed.username === '' ? {} : { username: decode(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decode(parsed.password) }),
    tls: parsed.protocol === 'rediss:',
  };
}

/**
 * `host:port`; an IPv6 address in brackets.
 *
 * @throws TypeError saying what is expected
 */
export function parseHostAndPort(text: string): HostAndPort {
  const [, host = '', port = ''] = /^([\w.-]+|\[[\da-fA-F:.]+\]):(\d{1,5})$/.exec(text) ?? [];
  if (host === '' || Number(port) < 1 || Number(port) > 65_535)
    throw new TypeError('not a list of servers (expected host:port, several separated by commas)');
  return { host: withoutBrackets(host), port: Number(port) };
}

/** URLs have brackets around an IPv6 address; sockets want none. */
function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new TypeError('user name or password is not percent-encoded (expected % written as %25)');
  }
}
