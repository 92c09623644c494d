import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A loopback proxy in front of a Redis that can answer in its place: with a state that a server here cannot be put into. */
export interface RefusingProxy {
  readonly url: string;
  /** From now on every command is answered with this error, without its `-`; `undefined`: by the server again. */
  refuseWith(error: string | undefined): void;
  close(): Promise<void>;
}

export async function startRefusingProxy(target: string): Promise<RefusingProxy> {
  const { hostname, port: targetPort } = new URL(target);
  const sockets = new Set<Socket>();
  let refusal: string | undefined;

  const server = createServer((client) => {
    const upstream = connect(Number(targetPort), hostname);
    const countCommands = createCommandCounter();
    client.on('data', (chunk: Buffer) => {
      const commands = countCommands(chunk);
      if (refusal === undefined) upstream.write(chunk);
      // By the server too, so that replies which are on their way come before.
      else
        upstream.write(commandOf('EVAL', 'return redis.error_reply(ARGV[1])', '0', refusal).repeat(commands));
    });
    upstream.on('data', (chunk: Buffer) => client.write(chunk));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      // 'close' follows.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuseWith(error) {
      refusal = error;
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

function commandOf(...parts: string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`;
}

/** Commands that end within a chunk. A client writes them as arrays of texts with their lengths. */
function createCommandCounter(): (chunk: Buffer) => number {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    let commands = 0;
    for (let end = endOfCommand(rest); end !== undefined; end = endOfCommand(rest)) {
      rest = rest.subarray(end);
      commands += 1;
    }
    return commands;
  };
}

function endOfCommand(bytes: Buffer): number | undefined {
  const first = lineAt(bytes, 0);
  if (!first) return undefined;
  let at = first.end;
  for (let i = 0; i < first.number; i += 1) {
    const length = lineAt(bytes, at);
    if (!length) return undefined;
    at = length.end + length.number + 2;
  }
  return at <= bytes.length ? at : undefined;
}

/** The number behind the first character of a line, and where the next line begins. */
function lineAt(bytes: Buffer, from: number): { number: number; end: number } | undefined {
  const end = bytes.indexOf('\r\n', from);
  if (end < 0) return undefined;
  return { number: Number(bytes.toString('latin1', from + 1, end)), end: end + 2 };
}
