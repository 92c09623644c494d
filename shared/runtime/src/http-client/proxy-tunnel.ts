import type { Socket } from 'node:net';
import { buildConnector, Client } from 'undici';
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
 * @param signal gives it up
 * @param timeoutMs for reaching the proxy and for its answer together; 0 for no bound
 * @throws ProxyError
 */
export async function openTunnel(
  proxy: Proxy,
  { hostname, port }: { hostname: string; port: number },
  { signal, timeoutMs }: { signal?: AbortSignal | undefined; timeoutMs: number },
): Promise<Socket> {
  const client = new Client(proxy.origin, {
    connect: buildConnector({
      timeout: timeoutMs,
      lookup,
      rejectUnauthorized: true,
      secureContext: secureContextOf(),
    }),
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  let stopped: string | undefined;
  const stop = (code: string): void => {
    stopped = code;
    void client.destroy(new ProxyError(code));
  };
  const giveUp = (): void => stop('ABORT_ERR');
  if (signal?.aborted === true) giveUp();
  signal?.addEventListener('abort', giveUp, { once: true });
  const timer = timeoutMs === 0 ? undefined : setTimeout(() => stop('PROXY_TIMEOUT'), timeoutMs);
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
    throw new ProxyError(stopped ?? codeOf(error));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
    // The tunnel is no longer the client's.
    void client.close().catch(() => undefined);
  }
}

/** `connect`, through the proxy where it is used for a target. Plain http goes to this machine itself, and past the proxy. */
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
    const fail = (error: Error): void => callback(error, null);
    openTunnel(proxy, { hostname: target.hostname, port }, { timeoutMs }).then(
      (httpSocket) => connect({ ...target, httpSocket }, callback),
      fail,
    );
  };
}

/** The port that undici leaves out where it is that of the scheme. */
export function portOf({ protocol, port }: { protocol: string; port: string }): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : 'PROXY_UNREACHABLE';
}
