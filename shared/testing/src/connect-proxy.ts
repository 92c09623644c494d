import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ConnectProxy {
  readonly port: number;
  /** What was asked for, in order: `host:port`, and the credentials that came along. */
  readonly asked: { readonly authority: string; readonly authorization: string | undefined }[];
  close(): Promise<void>;
}

export interface ConnectProxyOptions {
  /** Answers in place of the proxy, with the bare socket. */
  answer?: (socket: Duplex, request: IncomingMessage) => void;
  /** Other than 200: no tunnel is made. */
  status?: number;
  /** The proxy itself speaks TLS. */
  tls?: { key: string; cert: string };
  /** Called when a piece of a tunnel went on to the server behind it, with the client's side of the tunnel. */
  onForwarded?: (client: Duplex, bytes: number) => void;
}

/** A forward proxy on a real socket that makes tunnels by CONNECT. To it every host is this machine. */
export async function openConnectProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const asked: ConnectProxy['asked'] = [];
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const server = options.tls ? createTlsServer(options.tls) : createServer();
  server.on('connection', track);
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    const authority = request.url ?? '';
    client.on('error', () => undefined);
    asked.push({ authority, authorization: request.headers['proxy-authorization'] });
    if (options.answer) {
      options.answer(client, request);
      return;
    }
    if (options.status !== undefined) {
      client.end(`HTTP/1.1 ${options.status} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const behind = connect(Number(authority.slice(authority.lastIndexOf(':') + 1)), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) behind.write(head);
      let bytes = 0;
      client.on('data', (piece: Buffer) => {
        behind.write(piece, () => options.onForwarded?.(client, (bytes += piece.length)));
      });
      client.on('close', () => behind.destroy());
      behind.pipe(client);
    });
    track(behind);
    behind.on('error', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
