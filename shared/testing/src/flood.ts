import { once } from 'node:events';
import { connect } from 'node:net';

/** Requests that are sent without waiting for an answer (pipelining) by clients that read none. */
export interface Flood {
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** On each connection, all at once. */
  readonly requests: number;
  readonly connections: number;
}

/** Connections whose clients have sent everything and read nothing. */
export interface FloodingClients {
  /** Reads what there is and resolves when the server has ended all connections. */
  untilEnded(): Promise<void>;
  /** Closes all connections at once, with what was not read. */
  leave(): void;
}

/** Resolves when everything is sent, or as much as the server took. */
export async function flood({
  port,
  path,
  headers = {},
  requests,
  connections,
}: Flood): Promise<FloodingClients> {
  const lines = Object.entries({ Host: 'flood', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`.repeat(requests);
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      // Reset by the server, which may not let it in either.
      const socket = connect(port, '127.0.0.1')
        .on('error', () => undefined)
        .pause();
      await once(socket, 'connect');
      await new Promise<void>((resolve) => socket.write(text, () => resolve()));
      return socket;
    }),
  );
  return {
    async untilEnded() {
      await Promise.all(
        sockets.map(async (socket) => {
          socket.resume();
          // Not `once` of node:events, which rejects at a reset.
          if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
        }),
      );
    },
    leave() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
