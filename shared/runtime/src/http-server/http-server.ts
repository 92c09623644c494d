import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Express } from 'express';
import { answerUnreadable, refuseWithoutHost } from './answer-unreadable.ts';
import { messagesOf } from './express-messages.ts';
import { serveConnections, type ConnectionLimits, type Connections } from './http-connections.ts';
import { toOriginForm } from './request-target.ts';

const megabyte = 1_024 * 1_024;

/** Where to listen and how long things may take, in milliseconds. By default 2,000 connections, and 60 s and 64 MB for answers that are not read, 32 MB of one address. */
export interface ListenOptions extends Partial<ConnectionLimits> {
  /** 0 lets the system choose. */
  readonly port: number;
  /** The setting of the port, named in the error when it cannot be used. */
  readonly portSetting?: string;
  /** Default: every address of the machine. */
  readonly host?: string;
  /** A whole request must have arrived by then. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** Its headers by then. Default 10 s. */
  readonly headersTimeoutMs?: number;
  /** How often it is looked for connections whose time is over. Default: Node's own, 30 s. */
  readonly timeoutCheckMs?: number;
  /** An idle connection is kept for so long: longer than the 60 s of common load balancers. Default 65 s. */
  readonly keepAliveTimeoutMs?: number;
  /** How long `close()` waits for requests in flight. Default 5 s. */
  readonly closeGraceMs?: number;
}

/** A server that is accepting. */
export type HttpServer = Awaited<ReturnType<typeof listen>>;

/**
 * Serves `app`, an Express app that is mounted in no other, or any other listener.
 *
 * @throws an error that names the setting and the reason when the port or the address cannot be used; its `cause` is the
 * system's error (`code` EADDRINUSE, EACCES, …).
 */
export async function listen(app: RequestListener, options: ListenOptions) {
  const {
    maxConnections = 2_000,
    unreadTimeoutMs = 60_000,
    maxUnreadBytes = 64 * megabyte,
    maxUnreadBytesOfAddress = 32 * megabyte,
    logger,
  } = options;
  const server = createServer({
    ...(isExpress(app) ? messagesOf(app) : {}),
    // `refuseWithoutHost` does it.
    requireHostHeader: false,
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    headersTimeout: options.headersTimeoutMs ?? 10_000,
    ...(options.timeoutCheckMs !== undefined && { connectionsCheckingInterval: options.timeoutCheckMs }),
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 65_000,
  });
  const serve = refuseWithoutHost(app);
  const connections = serveConnections(
    server,
    (request, response) => {
      toOriginForm(request);
      serve(request, response);
    },
    { maxConnections, unreadTimeoutMs, maxUnreadBytes, maxUnreadBytesOfAddress, logger },
  );
  server.on('clientError', answerUnreadable);
  server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) });
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    const reason = reasons[error.code ?? ''] ?? error.message;
    throw new Error(`${options.portSetting ?? 'port'} ${options.port}: ${reason}`, { cause: error });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a TCP port');

  let closed: Promise<void> | undefined;
  return {
    port: address.port,
    /** Accepts no more, drops idle connections, lets requests in flight finish within the grace, drops the rest. */
    close: (): Promise<void> => (closed ??= closeServer(server, connections, options.closeGraceMs ?? 5_000)),
  };
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use by another process',
  EACCES: 'this user may not listen on the port',
  EADDRNOTAVAIL: 'the address is not one of this machine',
};

function isExpress(app: RequestListener): app is Express {
  return 'request' in app && 'response' in app;
}

async function closeServer(server: Server, connections: Connections, graceMs: number): Promise<void> {
  const closed = once(server, 'close');
  // Ends idle connections too.
  server.close();
  connections.endAfterAnswers();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
