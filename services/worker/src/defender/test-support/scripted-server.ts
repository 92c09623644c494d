import { EventEmitter, once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { TestCertificate } from './certificate.ts';

/** What a client wrote and how its connection ended. */
export interface Conversation {
  /** Everything received, decrypted where TLS is on. */
  received: string;
  /** Settles when the connection is gone: with the error's code after a reset, with "end" after an orderly close. */
  readonly ended: Promise<string>;
}

export interface ScriptedServer {
  readonly url: string;
  /** One per connection, in order of arrival. */
  readonly conversations: Conversation[];
  /** Resolves when a connection is gone, whether or not it came to a conversation over TLS. */
  readonly firstClosed: Promise<void>;
  /** Resolves with the next complete request that arrives. */
  nextRequest(): Promise<Conversation>;
  close(): Promise<void>;
}

/** A server on a real socket that answers each complete request by calling `answer` with the bare socket. */
export async function openScriptedServer(
  answer: (socket: Socket, request: string) => void,
  tls?: TestCertificate,
): Promise<ScriptedServer> {
  const conversations: Conversation[] = [];
  const sockets = new Set<Socket>();
  const events = new EventEmitter();
  const firstClosed = once(events, 'closed').then(() => undefined);
  const serve = (socket: Socket) => {
    const conversation: Conversation = { received: '', ended: endOf(socket) };
    conversations.push(conversation);
    socket.on('data', (chunk: Buffer) => {
      conversation.received += chunk.toString('latin1');
      if (!isComplete(conversation.received)) return;
      events.emit('request', conversation);
      answer(socket, conversation.received);
    });
  };
  const server: Server = tls === undefined ? createServer(serve) : createTlsServer({ ...tls }, serve);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      events.emit('closed');
    });
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    conversations,
    firstClosed,
    async nextRequest() {
      const [conversation] = (await once(events, 'request')) as [Conversation];
      return conversation;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A whole HTTP/1.1 answer that closes the connection, with its length stated. */
export function httpAnswer(status: number, body = '', headers: Record<string, string> = {}): string {
  const lines = Object.entries({ 'content-type': 'application/json', ...headers }).map(
    ([k, v]) => `${k}: ${v}`,
  );
  const length = `content-length: ${Buffer.byteLength(body)}`;
  return [`HTTP/1.1 ${status} X`, ...lines, length, 'connection: close', '', body].join('\r\n');
}

function isComplete(received: string): boolean {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const length = /content-length: (\d+)/i.exec(received)?.[1] ?? '0';
  return received.length >= headEnd + 4 + Number(length);
}

function endOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.on('close', () => resolve('end'));
  });
}
