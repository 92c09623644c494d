import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { z } from 'zod';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { proxyOf, proxyShape, type Proxy as ForwardProxy } from '@diq/runtime/http-client/proxy-settings.ts';
import { connectInTunnel } from '@diq/runtime/http-client/proxy-tunnel.ts';
import { readSettings } from '@diq/runtime/settings/read-settings.ts';
import { openConnectProxy, type ConnectProxy, type ConnectProxyOptions } from '@diq/testing/connect-proxy.ts';
import { unlimitedReads } from '../test-support/unlimited-reads.ts';
import { createMsalNetworkClient } from './auth/msal-network-client.ts';
import { createDefenderClient } from './defender-client.ts';
import { createDefenderReader } from './defender-reader.ts';
import { makeCertificate, type TestCertificate } from './test-support/certificate.ts';
import { httpAnswer, openScriptedServer, type ScriptedServer } from './test-support/scripted-server.ts';

/** A name that leads nowhere but by the proxy. */
const host = 'defender.invalid';

describe('a forward proxy', () => {
  let certificate: TestCertificate;
  let server: ScriptedServer;
  let port: string;
  let proxy: ConnectProxy | undefined;
  before(async () => {
    certificate = await makeCertificate(host);
    server = await openScriptedServer((socket) => socket.end(httpAnswer(200, '{"value":1}')), certificate);
    ({ port } = new URL(server.url));
  });
  afterEach(async () => {
    await proxy?.close();
    proxy = undefined;
    server.conversations.length = 0;
  });
  after(() => server.close());

  const through = (at: { port: number }, more: Record<string, string> = {}, credentials = '') => {
    const env = { HTTPS_PROXY: `http://${credentials}127.0.0.1:${at.port}`, ...more };
    return proxyOf(readSettings(z.object(proxyShape(env)), env));
  };
  const open = async (options?: ConnectProxyOptions) => (proxy = await openConnectProxy(options));

  /** One call to Defender, checked to show neither the token nor the credentials of the proxy. */
  async function call(by: ForwardProxy | undefined, callTimeoutMs = 5_000, hostname = host) {
    const client = createDefenderClient({
      baseUrl: `https://${hostname}:${port}`,
      callTimeoutMs,
      profile: initiateInvestigation,
      connect: { ca: certificate.cert },
      proxy: by,
    });
    const { durationMs, ...outcome } = await client.start({
      machineId: 'f'.repeat(40),
      comment: 'x',
      parameters: {},
      token: 'secret-token',
    });
    await client.close();
    assert.ok(durationMs >= 0);
    assert.doesNotMatch(JSON.stringify(outcome), /secret-token|hunter2/);
    return outcome;
  }

  it('takes calls, reads and requests for tokens on, and sees neither token nor secret', async () => {
    const seen: Buffer[] = [];
    const at = await open({ onForwarded: (client) => void client.on('data', (piece) => seen.push(piece)) });
    const by = through(at, {}, 'user:hunter2@');
    assert.equal((await call(by)).kind, 'started');

    const reading = { baseUrl: `https://${host}:${port}`, connect: { ca: certificate.cert }, proxy: by };
    const reader = createDefenderReader({ ...reading, budget: unlimitedReads, timeoutMs: 5_000 });
    await reader.findInvestigation('secret-token', '9');
    await reader.close();

    const network = createMsalNetworkClient({
      authorityHost: `https://${host}:${port}`,
      requestTimeoutMs: 5_000,
      ca: certificate.cert,
      proxy: by,
    });
    await network.sendPostRequestAsync(`https://${host}:${port}/t/oauth2/v2.0/token`, {
      body: 'client_secret=x',
    });
    await network.close();

    const paths = server.conversations.map(({ received }) => /^\S+ (\S+)/.exec(received)?.[1]);
    assert.equal(paths.length, 3);
    assert.match(paths.join(), /startInvestigation|InitiateInvestigation/i);
    assert.ok(server.conversations.every(({ received }) => !/proxy-authorization/i.test(received)));
    assert.deepEqual(
      at.asked.map(({ authority }) => authority),
      Array.from({ length: 3 }, () => `${host}:${port}`),
    );
    const authorization = `Basic ${Buffer.from('user:hunter2').toString('base64')}`;
    assert.ok(at.asked.every((one) => one.authorization === authorization));
    assert.doesNotMatch(Buffer.concat(seen).toString('latin1'), /secret-token|client_secret/);
  });

  it('is passed by where NO_PROXY names the host', async () => {
    const at = await open();
    // Without it the name would be resolved, which cannot be done here.
    const outcome = await call(through(at, { NO_PROXY: '.invalid' }));
    assert.equal(outcome.kind === 'not_sent' && outcome.reason, 'dns');
    assert.equal((await call(through(at), 5_000, '127.0.0.1')).kind, 'started');
    assert.deepEqual(at.asked, []);
  });

  it('sent nothing where it is down, refuses, wants credentials or talks nonsense', async () => {
    const gone = await open();
    await gone.close();
    proxy = undefined;
    assert.deepEqual(await call(through(gone)), { kind: 'not_sent', reason: 'proxy', code: 'ECONNREFUSED' });
    for (const status of [407, 403, 502]) {
      const at = await open({ status });
      const expected = { kind: 'not_sent', reason: 'proxy', code: `PROXY_ANSWERED_${status}` };
      assert.deepEqual(await call(through(at, {}, 'user:hunter2@')), expected);
      await at.close();
    }
    const at = await open({ answer: (socket) => void socket.end('SSH-2.0-hello\r\n') });
    const outcome = await call(through(at));
    assert.equal(outcome.kind === 'not_sent' && outcome.reason, 'proxy');
    assert.deepEqual(server.conversations, []);
  });

  it('sent nothing where it says nothing until the time of the call is over', async () => {
    const at = await open({ answer: () => undefined });
    assert.deepEqual(await call(through(at), 300), { kind: 'not_sent', reason: 'connect_timeout' });
    // Reads and tokens have clocks of their own.
    const network = createMsalNetworkClient({
      authorityHost: `https://${host}:${port}`,
      requestTimeoutMs: 200,
      proxy: through(at),
    });
    await assert.rejects(network.sendGetRequestAsync(`https://${host}:${port}/x`), {
      name: 'TokenNetworkError',
    });
    await network.close();
    assert.deepEqual(server.conversations, []);
  });

  it('has with TLS behind it the time of one connection: it is ended where TLS is not', async () => {
    const tunnel = new Socket();
    const ended = new Promise((resolve, reject) => {
      connectInTunnel(
        // TLS that never comes to its end, and has no time of its own.
        { connect: () => undefined, open: async () => tunnel, timeoutMs: 20 },
        { hostname: host, host, port, protocol: 'https:' },
        (...[error]) => (error ? reject(error) : resolve(undefined)),
      );
    });
    await assert.rejects(ended, { code: 'UND_ERR_CONNECT_TIMEOUT' });
    assert.ok(tunnel.destroyed);
  });

  it('sent nothing where the tunnel ends before TLS stands, or leads to a server that is not trusted', async () => {
    const at = await open({
      answer: (socket) => void socket.end('HTTP/1.1 200 Connection established\r\n\r\n'),
    });
    const cut = await call(through(at));
    assert.equal(cut.kind === 'not_sent' && cut.reason, 'tls');
    await at.close();

    const other = await openScriptedServer(
      (socket) => socket.end(httpAnswer(200, '{"value":1}')),
      await makeCertificate(host),
    );
    const elsewhere = await open();
    const client = createDefenderClient({
      baseUrl: `https://${host}:${new URL(other.url).port}`,
      callTimeoutMs: 5_000,
      profile: initiateInvestigation,
      connect: { ca: certificate.cert },
      proxy: through(elsewhere),
    });
    const outcome = await client.start({
      machineId: 'f'.repeat(40),
      comment: 'x',
      parameters: {},
      token: 'secret-token',
    });
    await client.close();
    await other.close();
    assert.equal(outcome.kind === 'not_sent' && outcome.reason, 'tls');
    assert.ok(other.conversations.every(({ received }) => received === ''));
  });

  it('leaves the outcome open where it is lost once the request may have gone on', async () => {
    let silent: ScriptedServer | undefined;
    try {
      silent = await openScriptedServer(() => void proxy?.close(), certificate);
      ({ port } = new URL(silent.url));
      const at = await open();
      const outcome = await call(through(at));
      assert.equal(outcome.kind, 'connection_lost');
      assert.match(silent.conversations[0]?.received ?? '', /secret-token/);
      proxy = undefined;
    } finally {
      await silent?.close();
      ({ port } = new URL(server.url));
    }
  });
});
