import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { loadScript } from '@diq/redis/script.ts';

const extendLease = loadScript(new URL('./lua/extend-lease.lua', import.meta.url));

describe('the end of a lease', () => {
  const redis = useEmbeddedRedis();
  beforeEach('forget all leases', () => redis.flush());

  async function nowMs(): Promise<number> {
    const [seconds, micros] = await redis.client.time();
    return Number(seconds) * 1_000 + Number(micros) / 1_000;
  }

  it('is so many ms from now on the clock of Redis, sooner or later than it was', async () => {
    for (const wasMs of [1, 9_000_000_000_000]) {
      await redis.client.zadd('leases', wasMs, 'job');
      const before = await nowMs();
      assert.equal(await extendLease(redis.client, ['leases'], ['job', 'in', 60_000]), 1);
      const ends = Number(await redis.client.zscore('leases', 'job'));
      assert.ok(ends >= Math.floor(before) + 60_000 && ends <= (await nowMs()) + 60_000, `${ends}`);
    }
  });

  it('is a time by the clock of Redis, whenever it is set', async () => {
    await redis.client.zadd('leases', 9_000_000_000_000, 'job');
    assert.equal(await extendLease(redis.client, ['leases'], ['job', 'at', 1_700_000_000_001]), 1);
    assert.equal(await redis.client.zscore('leases', 'job'), '1700000000001');
  });

  it('is not changed for a job whose lease is over: no process would give its permit back', async () => {
    await redis.client.zadd('leases', 1, 'other');
    assert.equal(await extendLease(redis.client, ['leases'], ['job', 'in', 60_000]), 0);
    assert.deepEqual(await redis.client.zrange('leases', 0, '-1', 'WITHSCORES'), ['other', '1']);
  });
});
