import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { createMsalNetworkClient } from './auth/msal-network-client.ts';
import { createDefenderClient } from './defender-client.ts';
import { createDefenderReader } from './defender-reader.ts';
import { makeCertificate, type TestCertificate } from './test-support/certificate.ts';
import { openScriptedServer, type ScriptedServer } from './test-support/scripted-server.ts';
import { unlimitedReads } from '../test-support/unlimited-reads.ts';

/** So much longer than a cut takes that no test below ends by it. */
const longMs = 30_000;
const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const chunked = `${head}transfer-encoding: chunked\r\n\r\n`;

/** How each begins, and what comes without end. */
const endless: readonly (readonly [string, string, string])[] = [
  ['a status line', 'HTTP/1.1 200 ', 'x'.repeat(16 * 1024)],
  ['interim answers', '', 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'.repeat(400)],
  ['headers', head, `x: ${'y'.repeat(8_000)}\r\n`],
  ['blank lines', '', '\r\n'.repeat(8_000)],
  ['an extension of a chunk', `${chunked}1;`, 'x'.repeat(16 * 1024)],
  ['chunks of one byte', chunked, `1;${'x'.repeat(4_000)}\r\n \r\n`.repeat(4)],
  ['trailers', `${chunked}2\r\n{}\r\n0\r\n`, `x: ${'y'.repeat(8_000)}\r\n`],
];

describe('an answer without end is cut, long before its time is up:', () => {
  let certificate: TestCertificate;
  let server: ScriptedServer | undefined;
  before(async () => {
    certificate = await makeCertificate();
  });
  afterEach(() => server?.close());

  async function serve(begin: string, more: string, tls?: TestCertificate): Promise<string> {
    server = await openScriptedServer((socket) => sendWithoutEnd(socket, begin, more), tls);
    return server.url;
  }

  for (const [what, begin, more] of endless) {
    for (const secure of [false, true]) {
      it(`${what}, to a call (${secure ? 'https' : 'http'}), which may have been made`, async () => {
        const client = createDefenderClient({
          baseUrl: await serve(begin, more, secure ? certificate : undefined),
          callTimeoutMs: longMs,
          profile: initiateInvestigation,
          ...(secure && { connect: { ca: certificate.cert } }),
        });
        const { durationMs, ...outcome } = await client.start({
          machineId: 'fb9ab6be3965095a09c057be7c90f0a2',
          comment: 'why',
          parameters: {},
          token: 't',
        });
        assert.ok(['connection_lost', 'unknown'].includes(outcome.kind), JSON.stringify(outcome));
        assert.ok(durationMs < longMs / 2);
      });
    }

    it(`${what}, to a read`, async () => {
      const reader = createDefenderReader({
        budget: unlimitedReads,
        baseUrl: await serve(begin, more),
        timeoutMs: longMs,
      });
      const reading = await reader.findInvestigation('t', '9');
      assert.deepEqual(reading, { kind: 'unreadable', reason: 'connection' });
      await reader.close();
    });

    it(`${what}, to a request for a token`, async () => {
      const authorityHost = await serve(begin, more, certificate);
      const network = createMsalNetworkClient({
        authorityHost,
        requestTimeoutMs: longMs,
        ca: certificate.cert,
      });
      const codes = ['ENDLESS_ANSWER', 'UND_ERR_HEADERS_OVERFLOW', 'unreadable_answer'];
      await assert.rejects(network.sendPostRequestAsync(`${authorityHost}/token`), (error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error);
        assert.ok(codes.includes(String(error.code)), String(error.code));
        return true;
      });
      await network.close();
    });
  }
});

function sendWithoutEnd(socket: Socket, begin: string, more: string): void {
  socket.write(begin);
  const sendMore = (): void => void (socket.destroyed || socket.write(more, () => setImmediate(sendMore)));
  sendMore();
}
