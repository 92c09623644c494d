import type { LookupFunction } from 'node:net';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { buildConnector } from 'undici';

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
 * undici's connector, of which each connection over TLS resumes the session of the one before: its server has shown who it is, and
 * neither side works with keys again.
 *
 * @param timeoutMs for connecting; 0 for no bound
 * @param lookup in place of Node's own
 * @param ca PEM of the only authority to trust, instead of Node's own list
 */
export function createResumingConnector({
  timeoutMs,
  lookup,
  ca,
}: {
  timeoutMs: number;
  lookup?: LookupFunction;
  ca?: string | undefined;
}): buildConnector.connector {
  const options = {
    timeout: timeoutMs,
    ...(lookup && { lookup }),
    // No switch of Node's own turns the check of certificates off.
    rejectUnauthorized: true,
    secureContext: secureContextOf(ca),
    // undici refers to a session weakly: it would be gone when memory is collected.
    maxCachedSessions: 0,
  };
  let kept: { of: string; session: Buffer } | undefined;
  return (target, callback) => {
    const of = `${target.servername ?? target.hostname}:${target.port}`;
    const connect = buildConnector({ ...options, ...(kept?.of === of && { session: kept.session }) });
    connect(target, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      if (socket instanceof TLSSocket) {
        const keep = (session: Buffer): void => void (kept = { of, session: ownCopy(session) });
        socket.on('session', keep);
        // Before TLS 1.3 it was there before the connection was.
        const session = socket.getProtocol() === 'TLSv1.2' ? socket.getSession() : undefined;
        if (session) keep(session);
      }
      callback(null, socket);
    });
  };
}

/** The same bytes in memory of their own. A small buffer is a part of 64 KB that Node shares out, and would keep all of it, for each tenant. */
export function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
