import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { createReadTurn } from './read-turn.ts';

const forMs = 300;

describe('the turn to read for a tenant', () => {
  const server = useEmbeddedRedis();
  const logger = { info() {}, warn() {} };
  const connections: Redis[] = [];
  let tenantId: string;
  beforeEach(() => (tenantId = randomUUID()));
  afterEach(async () => void (await Promise.all(connections.splice(0).map((one) => closeRedis(one)))));

  async function open() {
    const redis = openFailFastConnection({
      address: parseRedisUrl(server.url),
      name: 'test',
      logger,
    }) as Redis;
    connections.push(redis);
    await waitUntilReady(redis, 5_000);
    return { redis, turn: createReadTurn({ redis, tenantId, forMs }) };
  }

  it('is one worker’s until it gives it back, however long that takes', async () => {
    const [one, other] = [await open(), await open()];
    const taken = await one.turn.take();
    const key = `diq:{${tenantId}/reads}:turn`;
    // Held on: its time grows again while it is on.
    let before = await one.redis.pttl(key);
    for (let longer = 0; longer < 4;) {
      const left = await one.redis.pttl(key);
      if (left > before) longer += 1;
      before = left;
      assert.equal(await other.turn.take(), undefined);
    }
    await taken?.release();
    assert.ok(await other.turn.take());
  });

  it('is another one’s soon after its worker died', async () => {
    const [dead, other] = [await open(), await open()];
    assert.ok(await dead.turn.take());
    dead.redis.disconnect();
    assert.equal(await other.turn.take(), undefined);
    const taken = await waitFor(() => other.turn.take(), {
      what: 'the turn of a dead worker',
      timeoutMs: 5_000,
    });
    await taken.release();
  });
});
