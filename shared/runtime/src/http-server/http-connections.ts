import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../logging/logger.ts';
import { createUnreadAnswers, type UnreadLimits } from './unread-answers.ts';

/** What clients may take up, with or without a credential. */
export interface ConnectionLimits extends UnreadLimits {
  /** Beyond it a new connection takes the place of the one that was idle longest. */
  readonly maxConnections: number;
  /** A connection ends when nothing of an answer was taken for so long; at the latest after twice that. */
  readonly unreadTimeoutMs: number;
  /** Warned of connections that are ended for one of these limits. */
  readonly logger?: Pick<Logger, 'warn'> | undefined;
}

export type Connections = ReturnType<typeof serveConnections>;

interface Connection {
  /** Of the request that is with the app, until it is sent or its socket is closed. */
  answering?: ServerResponse | undefined;
  readonly waiting: Exchange[];
}

type Exchange = readonly [IncomingMessage, ServerResponse];

/** Requests that may wait on a connection for the answer before them. Few clients send even a second one. */
const maxWaiting = 16;
const fullWarningEveryMs = 60_000;
/** For what is written before an answer ends: event streams. */
const boundUnreadEveryMs = 1_000;

/**
 * Gives requests to `app`, one at a time for each connection: those that a client sent behind it (pipelining) wait, 16 at
 * most, or the connection ends. So a connection takes up one answer, however many it asks for, and as that one is always
 * on its socket, Node reports the socket's end to it; not so to those that stand behind another.
 */
export function serveConnections(server: Server, app: RequestListener, limits: ConnectionLimits) {
  const { logger, maxConnections, unreadTimeoutMs } = limits;
  /** That which was idle longest comes first. */
  const connections = new Map<Socket, Connection>();
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  const unread = createUnreadAnswers(
    () => connections.keys(),
    limits,
    (socket) => dropWarning(socket, 'too_many_unread_bytes'),
  );

  function open(socket: Socket): void {
    if (connections.size >= maxConnections && !makeRoom()) {
      socket.destroy();
      return;
    }
    connections.set(socket, { waiting: [] });
    socket.once('close', () => connections.delete(socket));
  }

  /** An answer that is made and not read gives way too: else clients that do not read would keep all others out. */
  function makeRoom(): boolean {
    if (performance.now() - warnedAtMs > fullWarningEveryMs) {
      warnedAtMs = performance.now();
      logger?.warn({ maxConnections }, 'connections at their limit: idle ones give way to new ones');
    }
    for (const [socket, { answering }] of connections) {
      if (answering && !answering.writableEnded) continue;
      drop(socket);
      return true;
    }
    return false;
  }

  function drop(socket: Socket): void {
    connections.delete(socket);
    socket.destroy();
  }

  function dropWarning(socket: Socket, reason: string): void {
    logger?.warn({ client: socket.remoteAddress, reason }, 'connection ended');
    drop(socket);
  }

  function take(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const connection = connections.get(socket);
    // Node goes on through what arrived with the request at which the connection was ended.
    if (!connection || socket.writableEnded) return;
    if (!connection.answering) answer(connection, [request, response]);
    else if (connection.waiting.length < maxWaiting) connection.waiting.push([request, response]);
    else dropWarning(socket, 'too_many_pipelined_requests');
  }

  function answer(connection: Connection, [request, response]: Exchange): void {
    connection.answering = response;
    if (!server.listening) endConnectionAfter(response);
    response.once('prefinish', () => unread.made(request.socket));
    // What the app has to do at the end of one request is done before it is given the next.
    response.once('close', () => process.nextTick(answered, connection, request.socket));
    app(request, response);
  }

  function answered(connection: Connection, socket: Socket): void {
    connection.answering = undefined;
    const next = connection.waiting.shift();
    // Node gives no socket to what stands behind the last answer of a connection, and a closed one to what is left.
    if (next?.[1].socket && !socket.destroyed) {
      answer(connection, next);
      return;
    }
    if (connections.delete(socket)) connections.set(socket, connection);
    // Where the headers had gone out before closing began, the connection is idle only now.
    if (!server.listening) server.closeIdleConnections();
  }

  const timer = setInterval(unread.bound, boundUnreadEveryMs).unref();
  server.once('close', () => clearInterval(timer));
  server.on('connection', open);
  server.on('request', take);
  // An expectation that is not known may be passed over (RFC 9110 10.1.1); by itself Node answers past the app.
  server.on('checkExpectation', take);
  // Any byte that moves sets it back. Node uses the same event for connections that were idle for the keep-alive timeout.
  server.setTimeout(unreadTimeoutMs, (socket) => {
    if (!connections.get(socket)?.answering) drop(socket);
    else if (socket.writableLength > 0) dropWarning(socket, 'answer_not_read');
    // Otherwise the app takes its time, or an event stream has nothing to send.
  });
  return {
    /** Has each connection end after the answer that is under way, so that clients send further requests elsewhere. */
    endAfterAnswers(): void {
      for (const { answering } of connections.values()) if (answering) endConnectionAfter(answering);
    },
  };
}

function endConnectionAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}
