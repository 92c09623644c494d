import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { buildConnector } from 'undici';

/** The name leads to an address that may not be called. Which one is not told: callers would learn our network. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';

  constructor() {
    super('the host leads to an address that is not allowed');
  }
}

/** Resolves a name to all its addresses. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface GuardedConnectionOptions {
  isAllowed: (address: string) => boolean;
  /** Ends an attempt to connect; it ends by itself after `timeoutMs`. */
  signal: AbortSignal;
  timeoutMs: number;
  /** Of all that is taken in; a connection that brings more is cut. */
  maxBytes: number;
  /** Default: the system's resolver. */
  resolve?: Resolve | undefined;
  /** PEM of the only authority to trust, instead of Node's own list. */
  ca?: string | undefined;
}

/**
 * A connector that checks addresses between resolving a name and connecting to it, so that the address which is
 * checked is the one that is called: a name that resolves otherwise a moment later gains nothing. One address that is
 * not allowed among several refuses them all.
 */
export function createGuardedConnector(options: GuardedConnectionOptions): buildConnector.connector {
  const { isAllowed, signal, timeoutMs, maxBytes, resolve = systemLookup, ca } = options;
  const connect = buildConnector({
    timeout: timeoutMs,
    signal,
    lookup: guardLookup(resolve, isAllowed),
    // A session of TLS outlives its connection otherwise.
    maxCachedSessions: 0,
    // No switch of Node's own turns the check off.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
  });
  return (target, callback) => {
    const literal = target.hostname.replace(/^\[|\]$/g, '');
    // An address in the place of a name is never looked up.
    if (isIP(literal) !== 0 && !isAllowed(literal)) {
      callback(new AddressRefusedError(), null);
      return;
    }
    connect(target, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      if (!isAllowed(socket.remoteAddress ?? '')) {
        socket.destroy();
        callback(new AddressRefusedError(), null);
        return;
      }
      callback(null, socket);
      cutAfter(maxBytes, socket);
    });
  };
}

/** How often it is looked for bytes that no reader sees, such as those of TLS itself. */
const lookIntervalMs = 50;

/**
 * The parser of HTTP bounds headers only: a status line or interim answers (1xx) without end would keep it at work for
 * as long as an attempt may take. Looks after the parser, so that an answer which arrives in one piece is an answer.
 */
function cutAfter(maxBytes: number, socket: Socket): void {
  const look = (): void => {
    if (socket.bytesRead > maxBytes) socket.destroy(new Error('the answer has no end'));
  };
  socket.on('readable', look);
  const timer = setInterval(look, lookIntervalMs).unref();
  socket.once('close', () => clearInterval(timer));
}

function guardLookup(resolve: Resolve, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error) callback(error, '', 0);
      else if (!first || !addresses.every(({ address }) => isAllowed(address)))
        callback(new AddressRefusedError(), '', 0);
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
