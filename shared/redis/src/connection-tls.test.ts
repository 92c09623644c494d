import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { closeRedis, describeTroubleOn, openFailFastConnection } from './connection.ts';
import { parseRedisUrl } from './redis-address.ts';

describe('a connection to Redis over TLS', () => {
  const given = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  let server: Server;
  let received = '';
  before(async () => {
    const made = await generate([{ name: 'commonName', value: 'localhost' }], {
      keySize: 2048,
      algorithm: 'sha256',
    });
    server = createServer({ key: made.private, cert: made.cert }, (socket: TLSSocket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => (received += chunk.toString()));
    });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  });
  after(() => {
    if (given === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = given;
    server.close();
  });

  it("gives no password to a server that is not trusted, also with Node's check of certificates turned off", async () => {
    const { port } = server.address() as AddressInfo;
    const url = `rediss://user:the-password@127.0.0.1:${port}`;
    const logger = createLogger({ level: 'silent', service: 'test' });
    const redis = openFailFastConnection({ address: parseRedisUrl(url), name: 'tls', logger });
    const [error] = (await once(redis, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'DEPTH_ZERO_SELF_SIGNED_CERT');
    assert.match(
      describeTroubleOn(redis, await redis.get('x').catch((e: unknown) => e)),
      /^shows a certificate/,
    );
    await closeRedis(redis);
    assert.equal(received, '');
  });
});
