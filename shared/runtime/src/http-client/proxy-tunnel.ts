import type { Socket } from 'node:net';
import { buildConnector, Client, errors } from 'undici';
import { createNameResolver, lookupBy } from '../dns/name-resolver.ts';
import type { Proxy } from './proxy-settings.ts';
import { secureContextOf } from './tls-connections.ts';

/** The proxy gave no tunnel, so nothing has reached the host behind it. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  /** `PROXY_ANSWERED_407` and the like; the system's own code where the proxy did not answer. */
  readonly code: string;

  constructor(code: string) {
    super(`the proxy gave no tunnel (${code})`);
    this.code = code;
  }
}

const lookup = lookupBy(createNameResolver());

/**
 * A connection through the proxy to this host and port, over which nothing was sent yet but the proxy's own CONNECT: neither the
 * credentials of a request nor TLS begin before the proxy has agreed.
 *
 * @param signal gives it up; it has no other bound
 * @throws ProxyError
 */
export async function openTunnel(
  proxy: Proxy,
  { hostname, port }: { hostname: string; port: number },
  signal: AbortSignal,
): Promise<Socket> {
  const client = new Client(proxy.origin, {
    connect: buildConnector({
      timeout: 0,
      lookup,
      rejectUnauthorized: true,
      secureContext: secureContextOf(),
    }),
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const giveUp = (): void => void client.destroy(new ProxyError('ABORT_ERR'));
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const authority = `${hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname}:${port}`;
    const { statusCode, socket } = await client.connect({
      path: authority,
      headers: {
        host: authority,
        'user-agent': 'defender-investigation-queue',
        ...(proxy.authorization !== undefined && { 'proxy-authorization': proxy.authorization }),
      },
    });
    const tunnel = socket as Socket;
    if (statusCode >= 200 && statusCode < 300) return tunnel;
    tunnel.on('error', () => undefined).destroy();
    throw new ProxyError(`PROXY_ANSWERED_${statusCode}`);
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw new ProxyError(signal.aborted ? 'ABORT_ERR' : codeOf(error));
  } finally {
    signal.removeEventListener('abort', giveUp);
    // The tunnel is no longer the client's.
    void client.close().catch(() => undefined);
  }
}

/**
 * `connect`, through the proxy where it is used for a target. Plain http goes to this machine itself, and past the proxy.
 *
 * @param timeoutMs for the tunnel and TLS in it together; 0 for no bound
 */
export function throughProxy(
  connect: buildConnector.connector,
  proxy: Proxy | undefined,
  timeoutMs: number,
): buildConnector.connector {
  if (!proxy) return connect;
  return (target, callback) => {
    const port = portOf(target);
    if (target.protocol !== 'https:' || !proxy.isUsedFor(target.hostname, port)) {
      connect(target, callback);
      return;
    }
    const open = (signal: AbortSignal) => openTunnel(proxy, { hostname: target.hostname, port }, signal);
    connectInTunnel({ connect, open, timeoutMs }, target, callback);
  };
}

/** `connect` over the tunnel that `open` gives; both together have `timeoutMs`, 0 for no bound. */
export function connectInTunnel(
  {
    connect,
    open,
    timeoutMs,
  }: {
    connect: buildConnector.connector;
    open: (signal: AbortSignal) => Promise<Socket>;
    timeoutMs: number;
  },
  target: buildConnector.Options,
  callback: buildConnector.Callback,
): void {
  const time = new AbortController();
  let tunnel: Socket | undefined;
  const end = (...result: Parameters<buildConnector.Callback>): void => {
    clearTimeout(timer);
    if (!time.signal.aborted) callback(...result);
  };
  const stop = (): void => {
    time.abort();
    tunnel?.destroy();
    callback(tunnel ? new errors.ConnectTimeoutError() : new ProxyError('PROXY_TIMEOUT'), null);
  };
  const timer = timeoutMs === 0 ? undefined : setTimeout(stop, timeoutMs);
  const connectOver = (httpSocket: Socket): void => {
    tunnel = httpSocket;
    if (time.signal.aborted) httpSocket.destroy();
    else connect({ ...target, httpSocket }, end);
  };
  open(time.signal).then(connectOver, (error: Error) => end(error, null));
}

/** The port that undici leaves out where it is that of the scheme. */
export function portOf({ protocol, port }: { protocol: string; port: string }): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : 'PROXY_UNREACHABLE';
}
