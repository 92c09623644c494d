import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { createDefenderClient, type DefenderClientOptions, type StartCall } from './defender-client.ts';
import { makeCertificate, type TestCertificate } from './test-support/certificate.ts';
import { httpAnswer, openScriptedServer, type ScriptedServer } from './test-support/scripted-server.ts';

const token = 'a.secret-token.b';
const call: StartCall = {
  machineId: 'fb9ab6be3965095a09c057be7c90f0a2',
  comment: 'why',
  parameters: {},
  token,
};
const silent = () => undefined;
const answerStarted = (socket: Socket) => void socket.end(httpAnswer(200, '{"value":1}'));

function clientFor(baseUrl: string, more: Partial<DefenderClientOptions> = {}) {
  return createDefenderClient({
    baseUrl,
    callTimeoutMs: 5_000,
    profile: initiateInvestigation,
    ...more,
  });
}

/** The outcome without its duration, checked to hold no token. */
async function verdict(client: ReturnType<typeof clientFor>, more: Partial<StartCall> = {}) {
  const { durationMs, ...rest } = await client.start({ ...call, ...more });
  assert.ok(durationMs >= 0);
  assert.doesNotMatch(JSON.stringify(rest), /secret-token/);
  return rest;
}

function throwing(): never {
  throw new Error('the clock is gone');
}

describe('a call on a connection that fails', () => {
  let certificate: TestCertificate;
  const servers: ScriptedServer[] = [];
  before(async () => {
    certificate = await makeCertificate();
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  async function serve(answer: (socket: Socket) => void, tls?: TestCertificate) {
    const server = await openScriptedServer(answer, tls);
    servers.push(server);
    return server;
  }

  it('works over TLS with the authority it was given', async () => {
    const server = await serve(answerStarted, certificate);
    const client = clientFor(server.url, { connect: { ca: certificate.cert } });
    assert.deepEqual(await verdict(client), {
      kind: 'started',
      result: { kind: 'investigation', id: '1' },
      status: 200,
    });
  });

  it('was not sent when the server is not trusted', async () => {
    const server = await serve(answerStarted, certificate);
    assert.deepEqual(await verdict(clientFor(server.url)), {
      kind: 'not_sent',
      reason: 'tls',
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    assert.ok(server.conversations.every(({ received }) => received === ''));
  });

  it('was not sent when the name cannot be resolved', async () => {
    const outcome = await verdict(clientFor('https://defender.invalid'));
    assert.equal(outcome.kind, 'not_sent');
    assert.ok('reason' in outcome && outcome.reason === 'dns');
  });

  it('was not sent when the port is closed', async () => {
    const server = await openScriptedServer(silent);
    await server.close();
    const expected = { kind: 'not_sent', reason: 'connection_refused', code: 'ECONNREFUSED' };
    assert.deepEqual(await verdict(clientFor(server.url)), expected);
  });

  it('was not sent when connecting does not end in time', async () => {
    // Accepts the connection and never answers the TLS greeting.
    const server = await serve(silent);
    const client = clientFor(server.url.replace('http:', 'https:'), { callTimeoutMs: 60 });
    assert.deepEqual(await verdict(client), { kind: 'not_sent', reason: 'connect_timeout' });
    assert.doesNotMatch(server.conversations[0]?.received ?? '', /POST/);
  });

  for (const secure of [false, true]) {
    const scheme = secure ? 'https' : 'http';
    const open = async (answer: (socket: Socket) => void) => {
      const server = await serve(answer, secure ? certificate : undefined);
      const client = (callTimeoutMs: number) =>
        clientFor(server.url, { callTimeoutMs, ...(secure && { connect: { ca: certificate.cert } }) });
      return { server, client };
    };

    it(`writes nothing once the send deadline has passed (${scheme})`, async () => {
      const { server, client } = await open(answerStarted);
      let asked = 0;
      const mayStillSend = () => {
        asked += 1;
        return false;
      };
      const expected = { kind: 'not_sent', reason: 'send_deadline_passed' };
      assert.deepEqual(await verdict(client(5_000), { mayStillSend }), expected);
      assert.equal(asked, 1);
      await server.firstClosed;
      assert.ok(server.conversations.every(({ received }) => received === ''));
    });

    it(`may have been received when no answer comes, and is taken back by a reset (${scheme})`, async () => {
      const { server, client } = await open(silent);
      assert.deepEqual(await verdict(client(400)), { kind: 'timeout' });
      assert.match(server.conversations[0]?.received ?? '', /^POST /);
      assert.equal(await server.conversations[0]?.ended, 'ECONNRESET');
    });

    it(`may have been received when the connection breaks before the answer (${scheme})`, async () => {
      const { client } = await open((socket) => void socket.destroy());
      const outcome = await verdict(client(5_000));
      assert.equal(outcome.kind, 'connection_lost');
      assert.ok('reason' in outcome && outcome.reason === 'closed');
    });

    it(`is lost, not unsent, when a shutdown comes while waiting for the answer (${scheme})`, async () => {
      const { server, client } = await open(silent);
      const stop = new AbortController();
      const ending = verdict(client(5_000), { signal: stop.signal });
      await server.nextRequest();
      stop.abort();
      assert.deepEqual(await ending, { kind: 'connection_lost', reason: 'shutdown' });
    });
  }

  it('was not sent when a shutdown comes before or while connecting', async () => {
    const server = await serve(silent);
    const client = clientFor(server.url.replace('http:', 'https:'));
    const expected = { kind: 'not_sent', reason: 'shutdown' };
    assert.deepEqual(await verdict(client, { signal: AbortSignal.abort() }), expected);
    assert.equal(server.conversations.length, 0);
    const ending = verdict(client);
    await client.close();
    assert.deepEqual(await ending, expected);
    assert.deepEqual(await verdict(client), expected);
  });

  it('was not sent when it is unknown whether it may still be sent', async () => {
    const server = await serve(answerStarted);
    const expected = { kind: 'not_sent', reason: 'send_deadline_passed' };
    assert.deepEqual(await verdict(clientFor(server.url), { mayStillSend: throwing }), expected);
    await server.firstClosed;
    assert.equal(server.conversations[0]?.received, '');
  });

  it('was not sent when the request cannot be built', async () => {
    const server = await serve(answerStarted);
    const client = clientFor(server.url);
    assert.deepEqual(await verdict(client, { token: `${token}\n` }), {
      kind: 'not_sent',
      reason: 'invalid_request',
    });
    const invalid = { kind: 'not_sent', reason: 'invalid_request' };
    assert.deepEqual(await verdict(client, { machineId: '..' }), invalid);
    assert.deepEqual(await verdict(client, { token: '' }), { kind: 'not_sent', reason: 'no_token' });
    assert.equal(server.conversations.length, 0);
  });

  it('is judged by its status when only the body does not end in time', async () => {
    const server = await serve(
      (socket) => void socket.write('HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 9\r\n\r\n{'),
    );
    const outcome = await verdict(clientFor(server.url, { callTimeoutMs: 400 }));
    assert.deepEqual(outcome, { kind: 'throttled', retryAfterMs: 7_000, status: 429 });
  });

  it('is lost when the answer is not HTTP', async () => {
    const server = await serve((socket) => void socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    const outcome = await verdict(clientFor(server.url));
    assert.equal(outcome.kind, 'connection_lost');
  });

  it('is made once, on a connection of its own', async () => {
    const server = await serve(
      (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"value":1}'),
    );
    const client = clientFor(server.url);
    for (let index = 0; index < 3; index += 1) assert.equal((await verdict(client)).kind, 'started');
    assert.equal(server.conversations.length, 3);
  });
});
