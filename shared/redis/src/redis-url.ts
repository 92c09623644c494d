import { z } from 'zod';
import { parseUrl } from '@diq/runtime/settings/setting-kinds.ts';

/**
 * Takes a `redis://` or `rediss://` URL apart.
 *
 * @throws TypeError saying what is wrong and expected; it never repeats the URL, which may hold a password.
 */
export function parseRedisUrl(url: string) {
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
    // URL keeps the brackets around an IPv6 address; sockets want none.
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? 6379 : Number(parsed.port),
    db: Number(database[1] ?? 0),
    ...(parsed.username === '' ? {} : { username: decode(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decode(parsed.password) }),
    /** True for `rediss://`. */
    tls: parsed.protocol === 'rediss:',
  };
}

/** A setting that holds a Redis URL; list it among the secrets. Returned as written, to be opened by `connection.ts`. */
export function redisUrl() {
  return z.string().transform((text, context) => {
    try {
      parseRedisUrl(text);
      return text.trim();
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'not usable' });
      return z.NEVER;
    }
  });
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new TypeError('user name or password is not percent-encoded (expected % written as %25)');
  }
}
