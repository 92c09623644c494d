import type { Server } from 'node:https';
import type { Socket } from 'node:net';

import type { Response } from 'express';

/** The TCP connections below the TLS server. */
export interface Connections {
  attach(server: Server): void;
  /** Breaks the connection of a request with a TCP reset, without a word of TLS or HTTP. */
  reset(res: Response): void;
  destroyAll(): void;
}

export function createConnections(): Connections {
  // A TLS socket does not give its TCP socket away, but both know the same peer.
  const byPeer = new Map<string, Socket>();
  return {
    attach(server) {
      server.on('connection', (socket: Socket) => {
        const peer = peerOf(socket);
        byPeer.set(peer, socket);
        socket.on('close', () => byPeer.delete(peer));
      });
    },
    reset(res) {
      const { socket } = res;
      if (socket === null) return;
      byPeer.get(peerOf(socket))?.resetAndDestroy();
      socket.destroy();
    },
    destroyAll() {
      for (const socket of byPeer.values()) socket.destroy();
    },
  };
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
