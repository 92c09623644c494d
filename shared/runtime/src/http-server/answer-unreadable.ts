import { STATUS_CODES, ServerResponse, type RequestListener } from 'node:http';
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
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const status = statusOf[error.code ?? ''] ?? 400;
  const { title, headers, body } = problemOf(status, 'What arrived cannot be read as an HTTP request.');
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${title}\r\n${lines.join('')}\r\n${body}`);
}

/**
 * `app`, but not for a request with two `Host` headers or, in HTTP/1.1, none (RFC 9112, 3.2): which of two a proxy in
 * front of us went by is not known here. Node itself refuses the second kind only, and not as a problem.
 */
export function refuseWithoutHost(app: RequestListener): RequestListener {
  return (request, response) => {
    const hosts = request.rawHeaders.filter((name, i) => i % 2 === 0 && /^host$/i.test(name)).length;
    if (hosts === 1 || (hosts === 0 && request.httpVersion === '1.0')) {
      app(request, response);
      return;
    }
    const { headers, body } = problemOf(400, 'The request must have one Host header.');
    response.writeHead(400, headers);
    response.end(body);
  };
}

function problemOf(status: number, detail: string) {
  const title = STATUS_CODES[status] ?? '';
  const body = JSON.stringify({ type: 'about:blank', title, status, detail });
  const headers = {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  };
  return { title, headers, body };
}

/**
 * Node keeps the response that a socket carries on the socket; what it does itself without a listener is the same.
 * Where its request arrived wholly, what cannot be read stands behind that one.
 */
function isAnswering(socket: Duplex): boolean {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return response instanceof ServerResponse && (response.headersSent || response.req.complete);
}
