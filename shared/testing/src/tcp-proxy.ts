import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

/** A loopback proxy, between services and Redis or a Redis and its replica, that breaks connections as a network does. */
export interface TcpProxy {
  readonly port: number;
  /** Ends every connection with a TCP reset; new ones are taken. */
  resetAll(): void;
  /** Nothing more is passed on, either way, on connections old and new; what arrives is kept. */
  stall(): void;
  /** Resets all connections and every new one at once. */
  refuse(): void;
  /** Back to passing on, beginning with what was kept. */
  open(): void;
  /** Resets all connections; new ones lead to this port. */
  moveTo(targetPort: number): void;
  close(): Promise<void>;
}

type Mode = 'open' | 'stalled' | 'refusing';

export async function startTcpProxy(firstTargetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let targetPort = firstTargetPort;
  let mode: Mode = 'open';

  function forward(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    if (mode === 'stalled') from.pause();
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      if (mode === 'open') from.resume();
    });
    // What follows an error is 'close'; which error it was is of no interest here.
    from.on('error', () => undefined);
    from.on('close', () => {
      sockets.delete(from);
      if (!to.destroyed) to.resetAndDestroy();
    });
  }

  const server = createServer((client) => {
    if (mode === 'refusing') {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(targetPort, '127.0.0.1');
    forward(client, upstream);
    forward(upstream, client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const resetAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: portOf(server.address()),
    resetAll,
    stall() {
      mode = 'stalled';
      for (const socket of sockets) socket.pause();
    },
    refuse() {
      mode = 'refusing';
      resetAll();
    },
    open() {
      mode = 'open';
      for (const socket of sockets) socket.resume();
    },
    moveTo(port) {
      targetPort = port;
      resetAll();
    },
    async close() {
      server.close();
      resetAll();
      await once(server, 'close');
    },
  };
}

function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number {
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no port');
  return address.port;
}
