import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A loopback proxy that cuts what runs through it at a chosen place. New connections are taken at any time. */
export interface CuttingProxy {
  readonly port: number;
  /**
   * Resets every connection once so many bytes more have come from the clients: `request` swallows what is beyond,
   * `reply` passes it on and swallows what is answered. Resolves when it has cut.
   */
  cutAfter(bytes: number, swallow: 'request' | 'reply'): Promise<void>;
  /** Cuts no more, if it has not yet. */
  spare(): void;
  close(): Promise<void>;
}

interface Plan {
  bytesLeft: number;
  swallow: 'request' | 'reply';
  onCut: () => void;
}

export async function startCuttingProxy(targetPort: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let plan: Plan | undefined;

  const cut = () => {
    const { onCut } = plan ?? {};
    plan = undefined;
    for (const socket of sockets) socket.resetAndDestroy();
    onCut?.();
  };
  const toServer = (chunk: Buffer, server: Socket) => {
    if (!plan) {
      server.write(chunk);
      return;
    }
    const passed = chunk.subarray(0, Math.max(0, plan.bytesLeft));
    plan.bytesLeft -= chunk.length;
    server.write(plan.swallow === 'reply' ? chunk : passed, () => {
      if (plan?.swallow === 'request' && plan.bytesLeft < 0) cut();
    });
  };
  const toClient = (chunk: Buffer, client: Socket) => {
    if (plan?.swallow === 'reply' && plan.bytesLeft < 0) cut();
    else client.write(chunk);
  };

  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    client.on('data', (chunk: Buffer) => toServer(chunk, upstream));
    upstream.on('data', (chunk: Buffer) => toClient(chunk, client));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
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
    port: (server.address() as AddressInfo).port,
    cutAfter: (bytes, swallow) =>
      new Promise((onCut) => {
        plan = { bytesLeft: bytes, swallow, onCut };
      }),
    spare() {
      plan = undefined;
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
