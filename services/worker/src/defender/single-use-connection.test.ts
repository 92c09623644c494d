import assert from 'node:assert/strict';
import { createSingleUseConnection } from './single-use-connection.ts';
import { createResumingConnector } from '@diq/runtime/http-client/tls-connections.ts';
import { makeCertificate, type TestCertificate } from './test-support/certificate.ts';
import { openScriptedServer, type ScriptedServer } from './test-support/scripted-server.ts';

describe('the connection of one call', () => {
  let certificate: TestCertificate;
  const servers: ScriptedServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
  before(async () => {
    certificate = await makeCertificate();
  });

  for (const protocol of ['http:', 'https:']) {
    // Where a process is stopped between the question and the write, the request goes out whenever it goes on.
    it(`asks as the last thing whether the request may go out, and lets nothing out before (${protocol})`, async () => {
      const isSecure = protocol === 'https:';
      for (const may of [false, true]) {
        const server = await openScriptedServer(
          (socket) => void socket.end(),
          isSecure ? certificate : undefined,
        );
        servers.push(server);
        const order: string[] = [];
        const connection = createSingleUseConnection({
          startTls: createResumingConnector({ timeoutMs: 0, ca: certificate.cert }),
          maxBytes: 10_000,
          mayStillSend() {
            order.push('asked');
            return may;
          },
        });
        const { hostname, port } = new URL(server.url);
        const target = { hostname, host: hostname, port, protocol };
        connection.connector(target, (...[error, socket]) => {
          socket?.on('error', () => undefined);
          socket?.write('POST / HTTP/1.1\r\n\r\n');
          order.push(error === null ? 'written' : 'refused');
        });
        await server.firstClosed;
        assert.deepEqual(order, ['written', 'asked']);
        assert.equal((server.conversations[0]?.received ?? '').startsWith('POST'), may);
        assert.deepEqual(
          [connection.handedOver(), connection.notSent()?.reason],
          may ? [true, undefined] : [false, 'send_deadline_passed'],
        );
      }
    });
  }
});
