import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { buildConnector } from 'undici';
import { cutAfter } from '@diq/runtime/http-client/bounded-connection.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import { openTunnel, portOf, ProxyError } from '@diq/runtime/http-client/proxy-tunnel.ts';
import { createNameResolver, lookupBy } from '@diq/runtime/dns/name-resolver.ts';

/** Where the request can still be stopped, and what stopped it. */
export const notSentReasons = [
  'dns',
  'connection_refused',
  'connect_timeout',
  'proxy',
  'tls',
  'network',
  'send_deadline_passed',
  'shutdown',
  'invalid_request',
  'no_token',
] as const;

export type NotSentReason = (typeof notSentReasons)[number];

/** Proof that no byte of the request left. `code` is the system's own, e.g. ENOTFOUND or CERT_HAS_EXPIRED. */
export interface NotSent {
  readonly reason: NotSentReason;
  readonly code?: string;
}

export type SingleUseConnection = ReturnType<typeof createSingleUseConnection>;

/** One for all calls: those that follow one that was given up join its lookup. */
const lookup = lookupBy(createNameResolver());

/**
 * A connector that knows exactly whether a request may have left, for a call that must not be repeated blindly.
 *
 * undici writes a request synchronously inside the connector's success callback, and never before. The socket holds it
 * back until that has returned and the last question was asked. So an error up to then (DNS, TCP, TLS, our own veto)
 * proves that nothing was sent, and anything after it proves nothing. A kept-alive connection would have no such border,
 * therefore each call has a connection of its own.
 *
 * @param startTls puts TLS over a connection that is there; the same for all calls to one Defender
 * @param proxy through which Defender is reached if it is used for it: until its tunnel is there nothing was sent
 * @param mayStillSend asked when the request is complete, and as the last thing before it goes out: a process can be stopped
 *   at any point, and what it does then goes out when it goes on. False or a throw stops it
 * @param maxBytes of all that the server may send; a connection that brings more is cut
 */
export function createSingleUseConnection({
  startTls,
  mayStillSend,
  maxBytes,
  proxy,
}: {
  startTls: buildConnector.connector;
  mayStillSend: () => boolean;
  maxBytes: number;
  proxy?: Proxy | undefined;
}) {
  const cancelConnecting = new AbortController();
  let state: 'unused' | 'connecting' | 'handed_over' | 'not_sent' = 'unused';
  let notSent: NotSent | undefined;
  let tcp: Socket | undefined;

  function refuse(reason: NotSentReason, code?: string): void {
    if (state === 'handed_over' || state === 'not_sent') return;
    state = 'not_sent';
    notSent = { reason, ...(code !== undefined && { code }) };
  }

  function offer(socket: Socket, callback: buildConnector.Callback): void {
    if (state !== 'connecting') {
      socket.destroy();
      callback(new Error('the call was given up before it was sent'), null);
      return;
    }
    socket.cork();
    callback(null, socket);
    cutAfter(maxBytes, socket);
    if (isTrue(mayStillSend)) {
      state = 'handed_over';
      socket.uncork();
    } else {
      refuse('send_deadline_passed');
      socket.destroy();
    }
  }

  // No timeout of their own: the call has one clock, which covers connecting, headers and body.
  const connectTcp = buildConnector({ timeout: 0, signal: cancelConnecting.signal, lookup });

  function connector(target: buildConnector.Options, callback: buildConnector.Callback): void {
    if (state !== 'unused') {
      callback(new Error('the connection of this call is used up'), null);
      return;
    }
    state = 'connecting';
    const secure = target.protocol === 'https:';
    const port = portOf(target);
    const goOn: buildConnector.Callback = (...[error, socket]) => {
      if (error !== null) {
        refuse(tcpReason(error), codeOf(error));
        callback(error, null);
        return;
      }
      tcp = socket;
      if (state !== 'connecting') {
        socket.destroy();
        callback(new Error('the call was given up before it was sent'), null);
        return;
      }
      if (!secure) {
        offer(socket, callback);
        return;
      }
      startTls({ ...target, httpSocket: socket }, (...[tlsError, tlsSocket]) => {
        if (tlsError === null) {
          offer(tlsSocket, callback);
          return;
        }
        refuse('tls', codeOf(tlsError));
        callback(tlsError, null);
      });
    };
    if (secure && proxy?.isUsedFor(target.hostname, port) === true) {
      openTunnel(proxy, { hostname: target.hostname, port }, cancelConnecting.signal).then(
        (socket) => goOn(null, socket),
        (error: Error) => goOn(error, null),
      );
    } else connectTcp({ ...target, protocol: 'http:', port: String(port) }, goOn);
  }

  return {
    /** For undici's `connect` option. Connects once; asked again, it fails. */
    connector,
    /** True from the moment at which the request is let out: it may have left. Stays true. */
    handedOver: () => state === 'handed_over',
    /** Why the connection was never handed over; undefined while connecting and after handing over. */
    notSent: () => notSent,
    /** Ends the connection at once with a TCP reset, so that nothing still buffered arrives later. */
    reset(reason: NotSentReason) {
      refuse(reason);
      if (tcp === undefined) cancelConnecting.abort();
      // Under TLS to a proxy there is no TCP of our own to reset; what waits there is dropped as well.
      else if (tcp instanceof TLSSocket) tcp.destroy();
      else tcp.resetAndDestroy();
    },
  };
}

function isTrue(ask: () => boolean): boolean {
  try {
    return ask();
  } catch {
    return false;
  }
}

function tcpReason(error: Error): NotSentReason {
  if (error instanceof ProxyError) return 'proxy';
  const code = codeOf(error) ?? '';
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) return 'dns';
  if (code === 'ECONNREFUSED') return 'connection_refused';
  return code === 'ETIMEDOUT' ? 'connect_timeout' : 'network';
}

/** The error's code when it looks like one. Messages are not used: they are made for people and may quote anything. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(error.code) ? error.code : undefined;
}
