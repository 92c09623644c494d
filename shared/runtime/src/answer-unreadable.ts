import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

const statusOf: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/**
 * For a server's `clientError`: what arrives is no request, or none that can be read, so no route and no middleware
 * ever sees it. It is answered all the same in the form of every other error, and the connection ends.
 */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Reset by the other side, or an answer is under way already: anything written now would be read as part of it.
  if (error.code === 'ECONNRESET' || !socket.writable || hasBegunToAnswer(socket)) {
    socket.destroy();
    return;
  }
  const status = statusOf[error.code ?? ''] ?? 400;
  const title = STATUS_CODES[status] ?? '';
  const problem = JSON.stringify({
    type: 'about:blank',
    title,
    status,
    detail: 'What arrived cannot be read as an HTTP request.',
  });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\n` +
      'Content-Type: application/problem+json\r\n' +
      'Cache-Control: no-store\r\n' +
      `Content-Length: ${Buffer.byteLength(problem)}\r\n` +
      'Connection: close\r\n\r\n' +
      problem,
  );
}

/** Node keeps the response that a socket carries on the socket; what it does itself, where nobody listens, is the same. */
function hasBegunToAnswer(socket: Duplex): boolean {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return typeof response === 'object' && response !== null && Reflect.get(response, 'headersSent') === true;
}
