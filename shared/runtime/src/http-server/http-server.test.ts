import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { listen } from './http-server.ts';

const host = '127.0.0.1';

function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((onResolve) => (resolve = onResolve));
  return { promise, resolve };
}

async function ask(port: number, agent = new Agent()): Promise<{ response: IncomingMessage; text: string }> {
  const [response] = (await once(get({ host, port, agent }), 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { response, text };
}

describe('listen', () => {
  it('takes a free port for port 0 and serves the app there', async () => {
    const server = await listen((_request, response) => response.end('hello'), { port: 0, host });
    assert.notEqual(server.port, 0);
    assert.equal((await ask(server.port)).text, 'hello');
    await server.close();
    await assert.rejects(ask(server.port), { code: 'ECONNREFUSED' });
  });

  it('names the setting and the reason when the port or the address cannot be used', async () => {
    const server = await listen(() => undefined, { port: 0, host });
    const again = (host: string) =>
      listen(() => undefined, { port: server.port, portSetting: 'INTAKE_PORT', host });
    await assert.rejects(again(host), {
      message: `INTAKE_PORT ${server.port}: the port is in use by another process`,
    });
    await assert.rejects(again('192.0.2.1'), {
      message: `INTAKE_PORT ${server.port}: the address is not one of this machine`,
    });
    await server.close();
  });

  it('lets a request in flight finish when it closes, and then ends its connection', async () => {
    const arrived = deferred<ServerResponse>();
    const agent = new Agent({ keepAlive: true });
    const server = await listen((_request, response) => arrived.resolve(response), { port: 0, host });
    const answer = ask(server.port, agent);
    const response = await arrived.promise;
    const closed = server.close();
    assert.equal(server.close(), closed);
    response.end('late');
    const { text, response: received } = await answer;
    assert.equal(text, 'late');
    assert.equal(received.headers.connection, 'close');
    await closed;
    agent.destroy();
  });

  it('ends also a keep-alive connection whose headers had already gone out', async () => {
    const arrived = deferred<ServerResponse>();
    const agent = new Agent({ keepAlive: true });
    const server = await listen(
      (_request, response) => {
        response.write('begun ');
        arrived.resolve(response);
      },
      { port: 0, host, closeGraceMs: 60_000 },
    );
    const answer = ask(server.port, agent);
    const response = await arrived.promise;
    const closed = server.close();
    response.end('ended');
    assert.equal((await answer).text, 'begun ended');
    await closed;
    agent.destroy();
  });

  it('closes at once on idle keep-alive connections', async () => {
    const neverMs = 600_000;
    const server = await listen((_request, response) => response.end('x'), {
      port: 0,
      host,
      keepAliveTimeoutMs: neverMs,
      closeGraceMs: neverMs,
    });
    // Keeps the connection open for as long as the server does, as an agent does not.
    const socket = connect(server.port, host);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    await server.close();
    socket.destroy();
  });

  it('drops what is still open after the grace', async () => {
    const server = await listen(() => undefined, { port: 0, host, closeGraceMs: 20 });
    const answer = ask(server.port);
    const slow = connect(server.port, host);
    slow.write('GET / HTTP/1.1\r\nHost: half');
    await once(slow, 'connect');
    const dropped = once(slow, 'close');
    await Promise.all([assert.rejects(answer), server.close(), dropped.catch(() => undefined)]);
  });

  describe('what cannot be read as a request', () => {
    const serve = (options: Partial<Parameters<typeof listen>[1]> = {}) =>
      listen((_request, response) => response.end('served'), { port: 0, host, ...options });

    async function sayTo(port: number, text: string): Promise<string> {
      const socket = connect(port, host);
      socket.write(text);
      let answer = '';
      for await (const chunk of socket) answer += String(chunk);
      return answer;
    }

    function readProblem(answer: string) {
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      assert.match(head, /^content-type: application\/problem\+json$/im);
      assert.match(head, /^connection: close$/im);
      assert.match(head, new RegExp(`^content-length: ${Buffer.byteLength(body)}$`, 'im'));
      const problem = JSON.parse(body) as { status: number; title: string };
      assert.ok(head.startsWith(`HTTP/1.1 ${problem.status} ${problem.title}\r\n`), head);
      return problem;
    }

    it('is answered with a problem and the end of the connection', async () => {
      const server = await serve();
      for (const [text, status] of [
        ['NONSENSE\r\n\r\n', 400],
        ['GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n', 400],
        [`GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
        ['GET / HTTP/1.1\r\nX: y\r\n\r\n', 400],
        ['GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n', 400],
        ['GET / HTTP/1.1\r\nHost: x\r\nhOST: x\r\n\r\n', 400],
        ['POST / HTTP/1.1\r\nHost: x\r\nHost:\r\nContent-Length: 2\r\n\r\nab', 400],
      ] as const) {
        assert.equal(readProblem(await sayTo(server.port, text)).status, status);
      }
      await server.close();
    });

    it('is answered 408 when its headers do not arrive in time', async () => {
      const server = await serve({ headersTimeoutMs: 20, requestTimeoutMs: 20, timeoutCheckMs: 10 });
      assert.equal(readProblem(await sayTo(server.port, 'GET / HTTP/1.1\r\nHost: x\r\n')).status, 408);
      await server.close();
    });

    it('ends the connection without a word behind a request that is being answered, which it would be taken for', async () => {
      const arrived = deferred<ServerResponse>();
      const server = await listen((_request, response) => arrived.resolve(response), { port: 0, host });
      const answer = await sayTo(server.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n\r\n');
      assert.equal(answer, '');
      (await arrived.promise).end();
      await server.close();
    });

    it('ends the connection without a word in the midst of an answer, which it would be taken for', async () => {
      const server = await listen(
        (request, response) => {
          response.write('begun');
          request.resume();
        },
        { port: 0, host },
      );
      const answer = await sayTo(
        server.port,
        'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n',
      );
      assert.doesNotMatch(answer, /problem/);
      await server.close();
    });
  });
});
