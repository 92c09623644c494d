import assert from 'node:assert/strict';
import { request as send, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { Registry } from 'prom-client';
import { listen, type HttpServer } from './http-server.ts';
import { createOpsApp } from './ops-routes.ts';

describe('a port with nothing but operations routes', () => {
  let server: HttpServer | undefined;
  before('listen', async () => {
    const app = createOpsApp({ registry: new Registry(), ready: async () => ({ ok: true, checks: {} }) });
    server = await listen(app, { port: 0, host: '127.0.0.1' });
  });
  after('close', () => server?.close());

  const ask = (target: string) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      send({ host: '127.0.0.1', port: server?.port, path: target })
        .once('response', resolve)
        .once('error', reject)
        .end();
    });

  it('answers each of them in one spelling', async () => {
    for (const path of ['/livez', '/readyz', '/metrics', '/metrics?x=1']) {
      const response = await ask(path);
      response.resume();
      assert.equal(response.statusCode, 200, path);
    }
  });

  it('answers 404 with a problem document to every other', async () => {
    for (const target of [
      '/METRICS',
      '/metrics/',
      '//metrics',
      '/./metrics',
      '/x/../metrics',
      '/%6detrics',
      '/metrics#x',
      '/metrics%00',
      'http://host/metrics',
      'HTTP://host/readyz',
      '/',
      '/nothing',
    ]) {
      const response = await ask(target);
      assert.equal(response.statusCode, 404, target);
      assert.equal(response.headers['content-type'], 'application/problem+json; charset=utf-8');
      const problem = (await json(response)) as Record<string, unknown>;
      assert.deepEqual([problem['status'], problem['title']], [404, 'Not Found']);
      assert.match(String(problem['instance']), /^\//);
    }
  });
});
