import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { checkRedis } from './open-redis.ts';
import { captureLog } from '../test-support/capture-log.ts';

async function linesOn(redis: Redis): Promise<Record<string, unknown>[]> {
  const { logger, lines } = captureLog();
  await checkRedis(redis, 'diq:{any}', logger);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the check of the durability of Redis', () => {
  describe('in a server of its own', () => {
    let server: RedisServer;
    let redis: Redis;
    before(requireRedisServer);
    before('start Redis', async () => {
      server = await startRedisServer({ appendOnly: true });
      redis = new Redis(server.url);
    });
    after('stop Redis', async () => {
      redis?.disconnect();
      await server?.stop();
    });

    it('says nothing where all is as it must be', async () => {
      assert.deepEqual(await linesOn(redis), []);
    });

    it('warns of each setting that loses something, with what is expected', async () => {
      for (const [setting, bad, good] of [
        ['appendonly', 'no', 'yes'],
        ['appendfsync', 'everysec', 'always'],
        ['maxmemory-policy', 'allkeys-lru', 'noeviction'],
      ] as const) {
        await redis.config('SET', setting, bad);
        const lines = await linesOn(redis);
        await redis.config('SET', setting, good);
        assert.deepEqual(
          lines.map(({ level, setting, found, expected }) => [level, setting, found, expected]),
          [['warn', setting, bad, good]],
        );
      }
    });

    it('asks for two of them without CONFIG, and names in one line what it could not check', async () => {
      await redis.acl('SETUSER', 'worker', 'on', '>password', '~*', '+@all', '-config');
      const restricted = new Redis(server.url, { username: 'worker', password: 'password' });
      await redis.config('SET', 'appendonly', 'no');
      const lines = await linesOn(restricted);
      await redis.config('SET', 'appendonly', 'yes');
      restricted.disconnect();
      lines.push(...(await linesOn(restricted)));
      assert.deepEqual(
        lines.map(({ level, setting, settings }) => [level, setting ?? settings]),
        [
          ['warn', 'appendonly'],
          ['info', ['appendfsync']],
          ['info', ['appendonly', 'appendfsync', 'maxmemory-policy']],
        ],
      );
      assert.equal(lines.at(-1)?.['msg'], 'durability settings of Redis that could not be checked');
    });
  });

  describe('in the embedded one', () => {
    const embedded = useEmbeddedRedis();

    it('logs nothing: the launcher has printed that it keeps nothing', async () => {
      assert.deepEqual(await linesOn(embedded.client), []);
    });
  });
});
