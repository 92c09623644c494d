import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ownCopy } from '@diq/runtime/http-client/tls-connections.ts';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { createDefenderClient, createStartTls } from './defender-client.ts';
import { makeCertificate, type TestCertificate } from './test-support/certificate.ts';

describe('the connections of one client to Defender', () => {
  const call = { machineId: 'f'.repeat(40), comment: 'x', parameters: {}, token: 'secret-token' };
  const resumed: boolean[] = [];
  let own: TestCertificate;
  let server: Server | undefined;
  let port = 0;

  async function serve({ cert, key }: TestCertificate, options: ServerOptions = {}): Promise<void> {
    server = createServer({ cert, key, ...options }, (request, response) => {
      resumed.push((request.socket as TLSSocket).isSessionReused());
      request.resume();
      response.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"1"}');
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  }
  async function leave(): Promise<void> {
    server?.closeAllConnections();
    server?.close();
    if (server) await once(server, 'close');
    server = undefined;
  }
  before(async () => {
    own = await makeCertificate();
  });
  afterEach(async () => {
    await leave();
    resumed.length = 0;
  });

  it('resume the session of another client with which TLS is shared', async () => {
    await serve(own);
    const connect = { ca: own.cert };
    const startTls = createStartTls(connect);
    const baseUrl = `https://localhost:${port}`;
    for (let i = 0; i < 2; i += 1) {
      const client = createDefenderClient({
        baseUrl,
        callTimeoutMs: 5_000,
        profile: initiateInvestigation,
        startTls,
      });
      assert.notEqual((await client.start(call)).kind, 'not_sent');
      await client.close();
    }
    assert.deepEqual(resumed, [false, true]);
  });

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`resume the session of the one before, and another server with that address is checked (${maxVersion})`, async () => {
      await serve(own, { maxVersion });
      const client = createDefenderClient({
        baseUrl: `https://localhost:${port}`,
        callTimeoutMs: 5_000,
        profile: initiateInvestigation,
        connect: { ca: own.cert },
      });
      for (let i = 0; i < 3; i += 1) assert.notEqual((await client.start(call)).kind, 'not_sent');
      assert.deepEqual(resumed, [false, true, true]);

      await leave();
      await serve(await makeCertificate(), { maxVersion });
      const outcome = await client.start(call);
      assert.equal(outcome.kind === 'not_sent' && outcome.reason, 'tls');
      assert.equal(resumed.length, 3, 'nothing arrived');
      await client.close();
    });
  }

  it('keep a session in as many bytes as it has', () => {
    const session = Buffer.from('of the pool for small buffers');
    assert.ok(session.buffer.byteLength > session.length);
    assert.equal(ownCopy(session).buffer.byteLength, session.length);
    assert.deepEqual(ownCopy(session), session);
  });
});
