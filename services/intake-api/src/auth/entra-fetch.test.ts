import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { createEntraFetch } from './entra-fetch.ts';

describe('what is asked of the Entra authority', () => {
  let server: Server;
  let ca: string;
  let origin: string;
  const asked: (string | undefined)[] = [];

  before('open an authority', async () => {
    const made = await generate([{ name: 'commonName', value: 'localhost' }], {
      keySize: 2_048,
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    ca = made.cert;
    server = createServer({ cert: made.cert, key: made.private }, (request, response) => {
      asked.push(request.url);
      if (request.url === '/elsewhere') response.writeHead(302, { Location: '/keys' }).end();
      else if (request.url === '/long') response.end(Buffer.alloc(1024 * 1024 + 1));
      else response.setHeader('Content-Type', 'application/json').end('{"keys":[]}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  });
  after('close the authority', () => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => void asked.splice(0));

  it('is answered with its type', async () => {
    const response = await createEntraFetch(origin, ca)(`${origin}/keys`, {});
    assert.deepEqual(
      [response.status, response.headers.get('content-type'), await response.json()],
      [200, 'application/json', { keys: [] }],
    );
  });

  it('goes to no other host, whatever a library was led to', async () => {
    const fetchOf = createEntraFetch('https://login.example.com', ca);
    for (const url of [`${origin}/keys`, 'http://login.example.com/keys', 'https://login.example.com:8443/'])
      await assert.rejects(fetchOf(url, {}), /not of the Entra authority/);
    assert.deepEqual(asked, []);
  });

  it('follows no redirect', async () => {
    const { status } = await createEntraFetch(origin, ca)(`${origin}/elsewhere`, {});
    assert.deepEqual([status, asked], [302, ['/elsewhere']]);
  });

  it('is given up when the answer is longer than 1 MB', async () => {
    await assert.rejects(createEntraFetch(origin, ca)(`${origin}/long`, {}));
  });

  it('trusts the certificate of no other authority', async () => {
    await assert.rejects(createEntraFetch(origin)(`${origin}/keys`, {}));
    assert.deepEqual(asked, []);
  });
});
