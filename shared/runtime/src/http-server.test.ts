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

  it('rejects with the system error when the port is taken', async () => {
    const server = await listen(() => undefined, { port: 0, host });
    await assert.rejects(
      listen(() => undefined, { port: server.port, host }),
      { code: 'EADDRINUSE' },
    );
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
    const agent = new Agent({ keepAlive: true });
    const server = await listen((_request, response) => response.end('x'), {
      port: 0,
      host,
      closeGraceMs: 60_000,
    });
    await ask(server.port, agent);
    await server.close();
    agent.destroy();
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
});
