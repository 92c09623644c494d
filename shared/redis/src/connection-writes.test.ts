import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from './connection.ts';
import { parseRedisUrl } from './redis-address.ts';

describe('commands given in one turn of the event loop', () => {
  const embedded = useEmbeddedRedis();

  it('reach Redis as one piece, in their order, and so do those of the next turn', async () => {
    const pieces: string[] = [];
    const relay = createServer((socket) => {
      const behind = connect(Number(new URL(embedded.url).port), '127.0.0.1');
      socket.on('data', (piece) => {
        pieces.push(String(piece));
        behind.write(piece);
      });
      behind.pipe(socket);
      socket.on('error', () => behind.destroy()).on('close', () => behind.destroy());
      behind.on('error', () => socket.destroy());
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const url = `redis://127.0.0.1:${(relay.address() as AddressInfo).port}`;
    const redis = openFailFastConnection({
      address: parseRedisUrl(url),
      name: 'writes',
      logger: { info() {}, warn() {} },
    });
    await waitUntilReady(redis, 5_000);

    for (let turn = 0; turn < 2; turn += 1) {
      await redis.ping();
      pieces.length = 0;
      const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => redis.rpush(`list-${turn}`, i)));
      assert.deepEqual(
        replies,
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
      assert.equal(pieces.length, 1);
    }

    await closeRedis(redis);
    relay.close();
  });
});
