import type { Socket } from 'node:net';

/** What answers may take up in memory that were made and are not yet taken by their clients, in bytes. */
export interface UnreadLimits {
  readonly maxUnreadBytes: number;
  /** Of them, those of the connections of one address. */
  readonly maxUnreadBytesOfAddress: number;
}

/** What is left on a connection when it was looked at last, and when the client was last seen to take some of it. */
interface Progress {
  left: number;
  takenAtMs: number;
}

interface Unread extends Progress {
  readonly socket: Socket;
  readonly bytes: number;
}

/**
 * The unread answers of one server. Beyond a limit that connection ends of which the client has taken nothing for longest: of those of the address that holds
 * most, so that a client which reads slowly keeps its answer.
 */
export function createUnreadAnswers(
  sockets: () => Iterable<Socket>,
  { maxUnreadBytes, maxUnreadBytesOfAddress }: UnreadLimits,
  end: (socket: Socket) => void,
) {
  const progress = new WeakMap<Socket, Progress>();

  function unreadOf(socket: Socket, nowMs: number): Unread {
    const left = bytesLeft(socket);
    const seen = progress.get(socket);
    // Node hands over the next write when the one before is taken, so more than before is progress too.
    const now = seen?.left === left ? seen : { left, takenAtMs: nowMs };
    progress.set(socket, now);
    return { ...now, socket, bytes: socket.writableLength };
  }

  function unreadByAddress(): Map<string, OfAddress> {
    const nowMs = performance.now();
    const byAddress = new Map<string, OfAddress>();
    for (const socket of sockets()) {
      if (socket.writableLength === 0) continue;
      const unread = unreadOf(socket, nowMs);
      const address = socket.remoteAddress ?? '';
      const own = byAddress.get(address) ?? { bytes: 0, unread: [] };
      own.bytes += unread.bytes;
      own.unread.push(unread);
      byAddress.set(address, own);
    }
    return byAddress;
  }

  /** Looks at all connections, and ends some where their unread answers are beyond a limit. */
  function bound(): void {
    const ofAddresses = [...unreadByAddress().values()];
    let total = ofAddresses.reduce((sum, { bytes }) => sum + bytes, 0);
    for (;;) {
      const most = ofAddresses.reduce<OfAddress | undefined>(larger, undefined);
      if (!most || (total <= maxUnreadBytes && most.bytes <= maxUnreadBytesOfAddress)) return;
      const idle = most.unread.reduce((one, other) => (one.takenAtMs <= other.takenAtMs ? one : other));
      most.unread.splice(most.unread.indexOf(idle), 1);
      most.bytes -= idle.bytes;
      total -= idle.bytes;
      end(idle.socket);
    }
  }

  return {
    /** An answer was made on this connection. */
    made(socket: Socket) {
      progress.delete(socket);
      if (socket.writableLength > 0) bound();
    },
    bound,
  };
}

/** What the connections of one address have left unread. */
interface OfAddress {
  bytes: number;
  readonly unread: Unread[];
}

function larger(one: OfAddress | undefined, other: OfAddress): OfAddress {
  return one && one.bytes >= other.bytes ? one : other;
}

/**
 * Of what is written, what the system has not yet taken for the client. Nothing public shows it: `writableLength` stays
 * the same until the whole of an answer is taken.
 */
function bytesLeft(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const queued: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : 0;
  return typeof queued === 'number' ? queued : 0;
}
