import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** Passes bytes on, until it keeps connections open and lets nothing through: what a firewall does that forgot them. */
export interface SwallowingProxy {
  url: string;
  swallow(): void;
  /** For new connections; those that were swallowed stay dead. */
  passOn(): void;
  close(): Promise<void>;
}

export async function startSwallowingProxy(port: number): Promise<SwallowingProxy> {
  const sockets = new Set<Socket>();
  let isSwallowing = false;

  function keep(socket: Socket): Socket {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    return socket;
  }

  const server = createServer((near) => {
    keep(near);
    if (isSwallowing) {
      near.resume();
      return;
    }
    const far = keep(connect(port, '127.0.0.1'));
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallow() {
      isSwallowing = true;
      for (const socket of sockets) socket.unpipe().resume();
    },
    passOn() {
      isSwallowing = false;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
