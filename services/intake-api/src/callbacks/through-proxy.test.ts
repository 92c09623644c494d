import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { proxyOf, proxyShape } from '@diq/runtime/http-client/proxy-settings.ts';
import { readSettings } from '@diq/runtime/settings/read-settings.ts';
import { openConnectProxy, type ConnectProxy } from '@diq/testing/connect-proxy.ts';
import { z } from 'zod';
import { createEntraFetch } from '../auth/entra-fetch.ts';
import { isPublicAddress } from './allowed-addresses.ts';
import { createPostCallback } from './post-callback.ts';

const host = 'hook.invalid';
const publicAddress = '93.184.216.34';

describe('a forward proxy of the intake', () => {
  let server: Server;
  let ca: string;
  let port: number;
  let proxy: ConnectProxy;
  const received: (string | undefined)[] = [];
  before(async () => {
    const made = await generate([{ name: 'commonName', value: host }], {
      keySize: 2_048,
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: host }] }],
    });
    ca = made.cert;
    server = createServer({ cert: made.cert, key: made.private }, (request, response) => {
      received.push(`${request.method} ${request.headers.host}`);
      request.resume().on('end', () => response.end('{}'));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
    proxy = await openConnectProxy();
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await proxy.close();
  });
  beforeEach(() => void [received.splice(0), proxy.asked.splice(0)]);

  const through = (more: Record<string, string> = {}) => {
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, ...more };
    return proxyOf(readSettings(z.object(proxyShape(env)), env));
  };
  const post = (addresses: string[], url = `https://${host}:${port}/`, more: Record<string, string> = {}) =>
    createPostCallback({
      isAllowedAddress: isPublicAddress,
      timeoutMs: 5_000,
      resolve: () => Promise.resolve(addresses.map((address) => ({ address, family: 4 }))),
      ca,
      proxy: through(more),
    })({ url: new URL(url), headers: {}, body: '{}', signal: new AbortController().signal });

  it('is asked for the address that was checked, and TLS for the name', async () => {
    assert.deepEqual(await post([publicAddress]), {
      kind: 'answered',
      status: 200,
      retryAfterMs: undefined,
    });
    assert.deepEqual(
      proxy.asked.map(({ authority }) => authority),
      [`${publicAddress}:${port}`],
    );
    assert.deepEqual(received, [`POST ${host}:${port}`]);
  });

  it('is asked for no address that a callback may not have, whether by a name or written out', async () => {
    const refused = { kind: 'no-answer', error: 'address_not_allowed' };
    for (const addresses of [['10.0.0.5'], ['169.254.169.254'], [publicAddress, '127.0.0.1']])
      assert.deepEqual(await post(addresses), refused);
    assert.deepEqual(await post([], 'https://169.254.169.254/'), refused);
    assert.deepEqual(proxy.asked, []);
  });

  it('is passed by where NO_PROXY names the receiver, with the same check', async () => {
    assert.deepEqual(await post(['127.0.0.1'], `https://${host}:${port}/`, { NO_PROXY: host }), {
      kind: 'no-answer',
      error: 'address_not_allowed',
    });
    assert.deepEqual([proxy.asked, received], [[], []]);
  });

  it('takes what is asked of Entra ID on, by its name', async () => {
    const response = await createEntraFetch(
      `https://${host}:${port}`,
      ca,
      through(),
    )(`https://${host}:${port}/keys`, {});
    assert.equal(response.status, 200);
    assert.deepEqual(
      proxy.asked.map(({ authority }) => authority),
      [`${host}:${port}`],
    );
  });

  it('that is down is a receiver that cannot be reached, and is tried again like one', async () => {
    const gone = await openConnectProxy();
    await gone.close();
    const outcome = await post([publicAddress], `https://${host}:${port}/`, {
      HTTPS_PROXY: `http://127.0.0.1:${gone.port}`,
    });
    assert.deepEqual(outcome, { kind: 'no-answer', error: 'unreachable' });
    assert.deepEqual(received, []);
  });
});
