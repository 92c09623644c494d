import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import { openRequest } from '../test-support/raw-request.ts';
import { DefenderError } from './answer-as-defender.ts';
import type { Asker } from './identify-asker.ts';
import { createPassThroughAgent, passThrough } from './pass-through.ts';

describe('a client of the front door that leaves while it is let in, its body unfinished', () => {
  const upstream = createServer((asked, response) => asked.resume().on('end', () => response.end('{}')));
  const agent = createPassThroughAgent();
  const asker = {
    caller: { name: 'entra:app', scopes: new Set(), tenants: 'all' },
    tenant: { tenant: { tenantId: 't' } },
    microsoftToken: 'token',
  } as unknown as Asker;
  let server: ReturnType<ReturnType<typeof express>['listen']>;
  const steps = new EventEmitter();
  before('open both', async () => {
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    const pass = passThrough({ agent, defenderUrlOf: () => `http://127.0.0.1:${port}` });
    const untilGone: RequestHandler = (request, response, next) => {
      response.locals['asker'] = asker;
      response.once('close', () => {
        const handled = Promise.resolve(pass(request, response, next));
        const end = (how: unknown) => steps.emit('handled', how);
        handled.then(end, end);
      });
      steps.emit('arrived');
    };
    server = express().use(untilGone).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after('close both', async () => {
    await agent.destroy();
    for (const one of [server, upstream]) one.close();
  });

  it('keeps no place', async () => {
    const { port } = server.address() as AddressInfo;
    const [arrived, handled] = [once(steps, 'arrived'), once(steps, 'handled')];
    const { socket, send } = await openRequest(
      `http://127.0.0.1:${port}`,
      'POST /defender/api/libraryfiles',
      { 'Content-Type': 'application/json', 'Content-Length': 100 },
    );
    send('{"begun":');
    await arrived;
    socket.destroy();
    const [how] = (await handled) as [unknown];
    assert.ok(how instanceof DefenderError, String(how));
  });
});
