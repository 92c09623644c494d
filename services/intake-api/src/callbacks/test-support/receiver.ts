import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** What a receiver says; `hold`: nothing, until the test says something. */
export type Answer = { status: number; headers?: Record<string, string>; body?: string | Buffer } | 'hold';

/** One call that arrived. */
export interface Arrival {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  atMs: number;
  /** For a call that is held. */
  answer(status: number): void;
}

/** A real server that is called back. */
export interface Receiver {
  port: number;
  /** Everything so far, in the order of arrival. */
  arrivals: readonly Arrival[];
  /** Connections that were made, whatever came over them. */
  connections(): number;
  /** The next call that no earlier `next()` gave. */
  next(): Promise<Arrival>;
  url(path?: string): string;
  close(): Promise<void>;
}

interface ReceiverOptions {
  /** By the number of the call, from 0. Default: 204 for each. */
  answer?: (number: number, arrival: Arrival) => Answer;
  tls?: { key: string; cert: string };
}

export async function openReceiver({ answer, tls }: ReceiverOptions = {}): Promise<Receiver> {
  const arrivals: Arrival[] = [];
  const waiting: ((arrival: Arrival) => void)[] = [];
  let given = 0;
  let connections = 0;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const arrival: Arrival = {
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      atMs: performance.now(),
      answer: (status) => void response.writeHead(status).end(),
    };
    const said = answer?.(arrivals.length, arrival) ?? { status: 204 };
    if (said !== 'hold') response.writeHead(said.status, said.headers ?? {}).end(said.body);
    arrivals.push(arrival);
    if (waiting.length > 0) {
      given += 1;
      waiting.shift()?.(arrival);
    }
  }

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    serve(request, response).catch(() => response.destroy());
  };
  const server = tls ? createHttpsServer(tls, listener) : createHttpServer(listener);
  server.on('tlsClientError', () => undefined);
  server.on('connection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    port,
    arrivals,
    connections: () => connections,
    next() {
      const arrival = arrivals[given];
      if (arrival) {
        given += 1;
        return Promise.resolve(arrival);
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    url: (path = '/hook') => `${tls ? 'https' : 'http'}://127.0.0.1:${port}${path}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
