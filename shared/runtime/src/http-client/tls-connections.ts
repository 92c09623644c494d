import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';

const contexts = new Map<string | undefined, SecureContext>();

/**
 * What a connection over TLS trusts, made once for all of them: by itself Node makes it anew for each connection, which takes longer
 * than anything else about it but the handshake.
 *
 * @param ca PEM of the only authority to trust, instead of Node's own list
 */
export function secureContextOf(ca?: string): SecureContext {
  const known = contexts.get(ca);
  if (known) return known;
  const made = createSecureContext(ca === undefined ? {} : { ca });
  contexts.set(ca, made);
  return made;
}

/**
 * Keeps the last session of the connections of one connector, so that the next one resumes it: its server has shown who it is, and
 * neither side works with keys again. undici refers to it weakly: it would be gone when memory is collected.
 *
 * @returns to be given each connection as soon as it is there
 */
export function createSessionKeeper(): (socket: Socket) => void {
  const kept: Buffer[] = [];
  const keep = (session: Buffer): void => void (kept[0] = session);
  return (socket) => {
    if (socket instanceof TLSSocket) socket.on('session', keep);
  };
}
