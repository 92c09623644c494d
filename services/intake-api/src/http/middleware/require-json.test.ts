import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import express from 'express';
import type { ErrorRequestHandler } from 'express';
import { listen, type HttpServer } from '@diq/runtime/http-server/http-server.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { ProblemError } from '../problem-error.ts';
import { beginContext, contextOf } from '../request-context.ts';
import { createBodyBudget } from '../body-budget.ts';
import { batchBodyLimitBytes, requireJson } from './require-json.ts';

const megabyte = 1_024 * 1_024;
const refuse: ErrorRequestHandler = (error, _request, response, next) => {
  if (error instanceof ProblemError) response.status(503).end(error.code);
  else next(error);
};

describe('a body whose answer is not read', () => {
  let server: HttpServer;
  const sockets: Socket[] = [];
  before(async () => {
    const app = express();
    app.use(beginContext(createLogger({ level: 'silent', service: 'test' })));
    app.use((request, response, next) => {
      contextOf(response).identified = { name: request.get('X-Caller') ?? '', scopes: new Set() };
      next();
    });
    const budget = createBodyBudget({ processBytes: 26 * megabyte, callerBytes: 24 * megabyte });
    app.post('/', ...requireJson(batchBodyLimitBytes, budget), (_request, response) => {
      // More than the system takes in for a client that does not read.
      response.send('x'.repeat(10 * megabyte));
    });
    app.use(refuse);
    server = await listen(app, { port: 0, host: '127.0.0.1' });
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
  });

  async function post(caller: string, megabytes: number): Promise<Socket> {
    const body = JSON.stringify('x'.repeat(megabytes * megabyte - 2));
    const socket = connect(server.port, '127.0.0.1');
    sockets.push(socket);
    socket.write(
      `POST / HTTP/1.1\r\nHost: intake\r\nX-Caller: ${caller}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await once(socket, 'readable');
    return socket;
  }
  const statusOf = (socket: Socket) => / (\d{3}) /.exec(String(socket.read(15)))?.[1];

  it('is let go, and the answer gives way once another caller needs the room', async () => {
    const unread = [await post('one', 20), await post('one', 8)];
    assert.deepEqual(unread.map(statusOf), ['200', '200'], 'the room of the body is free');
    const ended = Promise.race(
      unread.map((socket) =>
        once(
          socket.on('error', () => undefined),
          'close',
        ),
      ),
    );
    // 20 MB of answers are not read: too recently for them to give way at once.
    await waitFor(async () => statusOf(await post('other', 13)) === '200', {
      what: 'the unread answers to give way',
      intervalMs: 200,
    });
    for (const socket of unread) socket.resume();
    await ended;
  });
});
