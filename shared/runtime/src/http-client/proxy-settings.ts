import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { isLoopbackHost, listEntries, parseUrl } from '../settings/setting-kinds.ts';
import type { Env } from '../settings/read-settings.ts';

/** A forward proxy, and what goes through it. */
export interface Proxy {
  /** Scheme, host and port, without user and password. */
  readonly origin: string;
  /** Value of `Proxy-Authorization`; a secret. */
  readonly authorization: string | undefined;
  /** Whether connections over TLS to this host go through it. Those of a machine to itself never do. */
  isUsedFor(host: string, port: number): boolean;
}

/** Settings that may come from a file named by `NAME_FILE`, and appear in no message: the URL can hold a password. */
export const proxySecrets: readonly string[] = ['HTTPS_PROXY'];

/** The names that curl and most programs know. NO_PROXY alone is not looked at: many platforms set it everywhere. */
export function proxyShape(env: Env) {
  const isSet = Boolean(env['HTTPS_PROXY'] || env['HTTPS_PROXY_FILE']);
  return {
    HTTPS_PROXY: proxyUrl().optional(),
    NO_PROXY: isSet ? exceptions().optional() : z.string().optional().transform(nothing),
  };
}

const nothing = (): undefined => undefined;

/** `undefined`: connections go out directly. */
export function proxyOf(read: {
  HTTPS_PROXY?: { origin: string; authorization: string | undefined } | undefined;
  NO_PROXY?: IsException | undefined;
}): Proxy | undefined {
  if (read.HTTPS_PROXY === undefined) return undefined;
  const isException = read.NO_PROXY ?? (() => false);
  return {
    ...read.HTTPS_PROXY,
    isUsedFor(host, port) {
      const name = plainHost(host);
      return !isLoopbackHost(name) && !isException(name, port);
    },
  };
}

function proxyUrl() {
  return z.string().transform((text, context) => {
    const url = parseUrl(text);
    const fault = !url || !['http:', 'https:'].includes(url.protocol) ? 'not a proxy' : faultOf(url);
    if (url && fault === undefined) return { origin: url.origin, authorization: authorizationOf(url) };
    context.addIssue({
      code: 'custom',
      message: `${fault ?? 'not a proxy'} (expected http://host:port or https://host:port, with user:password@ where it asks for them)`,
    });
    return z.NEVER;
  });
}

function faultOf(url: URL): string | undefined {
  if (url.pathname !== '/' || url.search || url.hash) return 'holds more than a host and a port';
  if (url.username === '' && url.password !== '') return 'holds a password without a user';
  try {
    decodeURIComponent(url.password);
    return decodeURIComponent(url.username).includes(':') ? 'holds a user with a colon in it' : undefined;
  } catch {
    return 'holds a % that is not followed by two hexadecimal digits';
  }
}

function authorizationOf({ username, password }: URL): string | undefined {
  if (username === '') return undefined;
  const given = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(given).toString('base64')}`;
}

type IsException = (host: string, port: number) => boolean;

/** A name, which stands for all below it as well, with or without a dot or `*.` before it; an address or a network; each may have a port. */
const entryPattern = /^(?:\*?\.)?([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)(?::(\d{1,5}))?$/i;
/** An address has 45 characters at most, so that a long entry is not looked through again from each of its places. */
const networkPattern = /^\[?([0-9a-f.:]{2,45})\]?(?:\/(\d{1,3})|(?<=\]|^[\d.]+):(\d{1,5}))?$/i;

function exceptions() {
  return z.string().transform((text, context): IsException => {
    const checks = listEntries(text.replaceAll(/\s+/g, ',')).map(readException);
    if (checks.every((check) => check !== undefined)) {
      return (host, port) => checks.some((check) => check(host, port));
    }
    const place = checks.indexOf(undefined) + 1;
    context.addIssue({
      code: 'custom',
      message: `entry ${place} cannot be read (expected names, addresses and networks, separated by commas, such as example.com,10.0.0.0/8, or *)`,
    });
    return z.NEVER;
  });
}

function readException(entry: string): IsException | undefined {
  if (entry === '*') return () => true;
  const [, address = '', bits, addressPort] = networkPattern.exec(entry) ?? [];
  if (isIP(address) !== 0) return readNetwork(address, bits, addressPort);
  const [, name = '', port] = entryPattern.exec(entry) ?? [];
  if (name === '') return undefined;
  const ending = name.toLowerCase();
  return (host, at) => (host === ending || host.endsWith(`.${ending}`)) && isPort(port, at);
}

function readNetwork(address: string, bits: string | undefined, port: string | undefined) {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  const longest = family === 'ipv6' ? 128 : 32;
  if (Number(bits ?? longest) > longest) return undefined;
  const network = new BlockList();
  network.addSubnet(address, Number(bits ?? longest), family);
  return (host: string, at: number): boolean =>
    isIP(host) !== 0 && network.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4') && isPort(port, at);
}

function isPort(wanted: string | undefined, port: number): boolean {
  return wanted === undefined || Number(wanted) === port;
}

/** In lower case, without the brackets of IPv6 and the dot of the root. */
function plainHost(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$|\.$/g, '');
}
