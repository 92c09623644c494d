import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { ResolveName } from '@diq/runtime/dns/name-resolver.ts';
import {
  AddressRefusedError,
  createGuardedConnector,
  type GuardedConnectionOptions,
} from './guarded-connection.ts';

/** A resolver that gives this address to every name. */
const resolveTo =
  (address: string): ResolveName =>
  () =>
    Promise.resolve([{ address, family: 4 }]);

function connectorOf(options: Partial<GuardedConnectionOptions>) {
  const connect = createGuardedConnector({
    isAllowed: () => true,
    signal: new AbortController().signal,
    timeoutMs: 5_000,
    maxBytes: 1_024,
    resolve: resolveTo('127.0.0.1'),
    ...options,
  });
  return (target: { protocol: string; port: number }) =>
    new Promise<Socket>((resolve, reject) => {
      const hostname = 'hook.example';
      connect({ hostname, host: hostname, ...target, port: String(target.port) }, (error, socket) =>
        error ? reject(error) : resolve(socket),
      );
    });
}

describe('a guarded connection', () => {
  const open: { destroy?: () => unknown; close?: () => unknown }[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) (one.destroy ?? one.close)?.call(one);
  });

  it('is given up when the system leads it elsewhere than the address that was checked', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    open.push(server);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const arrived = once(server, 'connection');
    // The system takes "no address" for itself: what passed the check is not what is reached.
    const connect = connectorOf({
      resolve: resolveTo('0.0.0.0'),
      isAllowed: (address) => address !== '127.0.0.1',
    });
    await assert.rejects(connect({ protocol: 'http:', port }), AddressRefusedError);
    const [socket] = (await arrived) as [Socket];
    open.push(socket);
    if (!socket.closed) await once(socket, 'close');
    assert.equal(socket.bytesRead, 0);
  });

  it('leaves nothing behind that looks at it once it is closed', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    open.push(server);
    await once(server, 'listening');
    const connect = connectorOf({});
    const socket = await connect({ protocol: 'http:', port: (server.address() as AddressInfo).port });
    let looks = 0;
    Object.defineProperty(socket, 'bytesRead', { get: () => (looks += 1) });
    await waitFor(() => looks > 0, { what: 'a look' });
    socket.destroy();
    await once(socket, 'close');
    looks = 0;
    // Other timers of the same length, begun later: that of the socket would have come before them, twice.
    for (let i = 0; i < 2; i += 1) await delay(50);
    assert.equal(looks, 0);
  });

  it('begins with a handshake of its own: no session of an earlier one is taken up', async () => {
    const made = await generate([{ name: 'commonName', value: 'hook.example' }], {
      keySize: 2048,
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 2, value: 'hook.example' }] },
      ],
    });
    // The session tickets of TLS 1.2 are there as soon as the connection is.
    const server = createTlsServer({ key: made.private, cert: made.cert, maxVersion: 'TLSv1.2' });
    open.push(server);
    server.on('secureConnection', (socket) => socket.on('error', () => undefined));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const connect = connectorOf({ ca: made.cert });
    const sockets: TLSSocket[] = [];
    for (let i = 0; i < 2; i += 1) {
      const socket = (await connect({ protocol: 'https:', port })) as TLSSocket;
      sockets.push(socket);
      open.push(socket);
    }
    assert.ok(sockets[0]?.getSession(), 'there is a session that could be taken up');
    assert.deepEqual(
      sockets.map((socket) => socket.isSessionReused()),
      [false, false],
    );
  });
});
