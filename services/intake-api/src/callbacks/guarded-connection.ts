import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { cutAfter } from '@diq/runtime/http-client/bounded-connection.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import { connectInTunnel, openTunnel, portOf } from '@diq/runtime/http-client/proxy-tunnel.ts';
import { secureContextOf } from '@diq/runtime/http-client/tls-connections.ts';
import { lookupBy, type ResolveName } from '@diq/runtime/dns/name-resolver.ts';

/** The name leads to an address that may not be called. The error does not name it: callers would learn our network. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';

  constructor() {
    super('the host leads to an address that is not allowed');
  }
}

export interface GuardedConnectionOptions {
  isAllowed: (address: string) => boolean;
  /** Ends an attempt to connect; it ends by itself after `timeoutMs`. */
  signal: AbortSignal;
  timeoutMs: number;
  /** Of all that is taken in; a connection that brings more is cut. */
  maxBytes: number;
  /** Its lookups end by themselves, however many connections are given up that wait for them. */
  resolve: ResolveName;
  /** PEM of the only authority to trust, instead of Node's own list. */
  ca?: string | undefined;
  /** Through which hosts are reached over TLS that it is used for. */
  proxy?: Proxy | undefined;
}

/**
 * A connector that checks addresses between resolving a name and connecting to it, so that the address which is
 * checked is the one that is called: a name that resolves otherwise a moment later gains nothing. One address that is
 * not allowed among several refuses them all. A proxy is asked for that address, not for the name, of which it could think otherwise.
 */
export function createGuardedConnector(options: GuardedConnectionOptions): buildConnector.connector {
  const { isAllowed, signal, timeoutMs, maxBytes, resolve, ca, proxy } = options;
  const resolveAllowed: ResolveName = async (hostname) => {
    const addresses = await resolve(hostname);
    if (!addresses.every(({ address }) => isAllowed(address))) throw new AddressRefusedError();
    return addresses;
  };
  const connect = buildConnector({
    timeout: timeoutMs,
    signal,
    lookup: lookupBy(resolveAllowed),
    // A session of TLS outlives its connection otherwise.
    maxCachedSessions: 0,
    // No switch of Node's own turns the check off.
    rejectUnauthorized: true,
    secureContext: secureContextOf(ca),
  });
  return (target, callback) => {
    const literal = target.hostname.replace(/^\[|\]$/g, '');
    // An address in the place of a name is never looked up.
    if (isIP(literal) !== 0 && !isAllowed(literal)) {
      callback(new AddressRefusedError(), null);
      return;
    }
    const port = portOf(target);
    const isTunneled = target.protocol === 'https:' && proxy?.isUsedFor(literal, port) === true;
    const goOn: buildConnector.Callback = (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      // That of a tunnel is the proxy's, which was asked for an address that is allowed.
      if (!isTunneled && !isAllowed(socket.remoteAddress ?? '')) {
        socket.destroy();
        callback(new AddressRefusedError(), null);
        return;
      }
      callback(null, socket);
      cutAfter(maxBytes, socket);
    };
    if (!isTunneled) {
      connect(target, goOn);
      return;
    }
    const open = async (timeIsOver: AbortSignal) => {
      const [first] = isIP(literal) === 0 ? await resolveAllowed(literal) : [{ address: literal }];
      const ends = AbortSignal.any([signal, timeIsOver]);
      return openTunnel(proxy, { hostname: first?.address ?? literal, port }, ends);
    };
    connectInTunnel({ connect, open, timeoutMs }, target, goOn);
  };
}
