import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { createNameResolver, lookupBy } from '../dns/name-resolver.ts';
import type { Proxy } from './proxy-settings.ts';
import { throughProxy } from './proxy-tunnel.ts';
import { createResumingConnector } from './tls-connections.ts';

/**
 * A connector whose lookups of names end in time, and whose connections are cut once a server has sent more than an answer
 * with a body of so many bytes takes, see {@link cutAfter}.
 *
 * @param timeoutMs for connecting; the default is undici's
 * @param ca PEM of the only authority to trust, instead of Node's own list
 * @param proxy through which hosts are reached that it is used for
 */
export function createBoundedConnector({
  maxBodyBytes,
  timeoutMs = 10_000,
  ca,
  proxy,
}: {
  maxBodyBytes: number;
  timeoutMs?: number;
  ca?: string | undefined;
  proxy?: Proxy | undefined;
}): buildConnector.connector {
  const direct = createResumingConnector({
    timeoutMs,
    lookup: lookupBy(createNameResolver()),
    ca,
  });
  const connect = throughProxy(direct, proxy, timeoutMs);
  return (target, callback) => {
    connect(target, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      callback(null, socket);
      cutAfter(wireBytesFor(maxBodyBytes), socket);
    });
  };
}

/**
 * What a server may send in all, for a body of at most so many bytes: headers, interim answers and the framing of chunks
 * included, which may be as long as the body.
 */
export function wireBytesFor(bodyBytes: number): number {
  return 2 * bodyBytes + 64 * 1024;
}

/** How often it is looked for bytes that no reader sees, such as those of TLS itself. */
const lookIntervalMs = 50;

/**
 * Cuts a connection over which more than `maxBytes` came. undici bounds headers and body only: a status line, interim
 * answers (1xx), blank lines or extensions of chunks without end would keep its parser, and with it the process, at work
 * until the request's time is up, and tiny chunks each hold the piece in memory in which they came.
 *
 * To be called after undici was given the socket: it looks after the parser, so that an answer which arrives in one piece
 * is an answer.
 */
export function cutAfter(maxBytes: number, socket: Socket): void {
  const look = (): void => {
    if (socket.bytesRead > maxBytes) socket.destroy(new EndlessAnswer());
  };
  socket.on('readable', look);
  const timer = setInterval(look, lookIntervalMs).unref();
  socket.once('close', () => clearInterval(timer));
}

class EndlessAnswer extends Error {
  override readonly name = 'EndlessAnswer';
  /** In the form of the system's own codes, as it stands in logs and holds. */
  readonly code = 'ENDLESS_ANSWER';

  constructor() {
    super('the answer has no end');
  }
}
