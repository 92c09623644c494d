import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A request of which the test says every byte. */
export interface RawRequest {
  readonly socket: Socket;
  /** Sends more of it. */
  send(bytes: string | Buffer): void;
  /** Resolves when the head of an answer is there. */
  readonly answered: Promise<{ status: number; head: string }>;
  close(): void;
}

/** Opens a connection to the service and sends a request line with these headers; the body is the test's to send. */
export async function openRequest(
  url: string,
  line: string,
  headers: Readonly<Record<string, string | number>>,
): Promise<RawRequest> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // Broken by the other side, where that is what the test is about.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const lines = Object.entries({ Host: 'test', ...headers }).map(([name, value]) => `${name}: ${value}`);
  socket.write([`${line} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    answered: headOf(socket),
    close: () => socket.destroy(),
  };
}

async function headOf(socket: Socket): Promise<{ status: number; head: string }> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) continue;
    const head = text.slice(0, end);
    return { status: Number(head.split(' ')[1]), head };
  }
  throw new Error('the connection ended without an answer');
}
