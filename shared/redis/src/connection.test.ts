import assert from 'node:assert/strict';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { closeRedis, openBlockingConnection, openFailFastConnection, waitUntilReady } from './connection.ts';
import { parseRedisUrl } from './redis-address.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { Redis } from 'ioredis';

const log: { msg: string; connection: string }[] = [];
const destination = { write: (line: string) => void log.push(JSON.parse(line) as (typeof log)[number]) };
const logger = createLogger({ level: 'info', service: 'test', destination });
const messagesOf = (connection: string) =>
  log.filter((line) => line.connection === connection).map((line) => line.msg);

async function timed<T>(work: Promise<T>): Promise<{ result: PromiseSettledResult<T>; tookMs: number }> {
  const beganMs = performance.now();
  const [result] = await Promise.allSettled([work]);
  return { result, tookMs: performance.now() - beganMs };
}

// Unlike `once` of node:events, does not take the errors of an outage for its own.
const reconnectingOf = (redis: Redis) => new Promise((resolve) => redis.once('reconnecting', resolve));

describe('connections to Redis', () => {
  let server: RedisServer;
  const open: Redis[] = [];

  function openFailFast(name = 'fail-fast', url = server.url): Redis {
    const redis = openFailFastConnection({ address: parseRedisUrl(url), name, logger }) as Redis;
    open.push(redis);
    return redis;
  }
  function openBlocking(url = server.url): Redis {
    const redis = openBlockingConnection({ address: parseRedisUrl(url), name: 'blocking', logger }) as Redis;
    open.push(redis);
    return redis;
  }

  async function clientList(): Promise<string> {
    const looker = openBlocking();
    const list = String(await looker.client('LIST'));
    await closeRedis(looker);
    return list;
  }

  before(requireRedisServer);
  before(async () => {
    server = await startRedisServer();
  });
  beforeEach(() => log.splice(0));
  afterEach(async () => {
    await Promise.all(open.splice(0).map(closeRedis));
  });
  after(async () => {
    await server?.stop();
  });

  describe('of the kind that fails fast', () => {
    it('fails its commands within 2 s while Redis is away, and works again by itself', async () => {
      const redis = openFailFast();
      await waitUntilReady(redis, 2_000);
      await server.kill();
      const { result, tookMs } = await timed(redis.incr('n'));
      assert.equal(result.status, 'rejected');
      assert.ok(tookMs < 2_000, `${tookMs} ms`);
      await server.restart();
      await waitUntilReady(redis, 3_000);
      assert.equal(await redis.incr('n'), 1, 'the command that failed was carried out later');
      assert.deepEqual(messagesOf('fail-fast'), ['redis lost', 'redis back']);
    });

    it('fails its commands within 2 s when Redis hangs', async () => {
      const redis = openFailFast();
      await waitUntilReady(redis, 2_000);
      await server.kill('SIGSTOP');
      try {
        const { result, tookMs } = await timed(redis.get('n'));
        assert.equal(result.status, 'rejected');
        assert.ok(tookMs < 2_000, `${tookMs} ms`);
      } finally {
        await server.kill('SIGCONT');
      }
    });

    it('rejects a command in flight when the connection breaks, and never sends it again', async () => {
      const redis = openFailFast();
      await waitUntilReady(redis, 2_000);
      await server.kill('SIGSTOP');
      const { result, tookMs } = await timed(Promise.all([redis.incr('sent-once'), server.kill('SIGKILL')]));
      assert.equal(result.status, 'rejected');
      assert.ok(tookMs < 1_000, `${tookMs} ms`);
      await server.restart();
      await waitUntilReady(redis, 3_000);
      assert.equal(await redis.get('sent-once'), null);
    });

    it('does not throw when Redis is away at start, and logs the outage once', async () => {
      const redis = openFailFast('fail-fast', `redis://127.0.0.1:${await findFreePort()}`);
      for (let attempt = 0; attempt < 3; attempt += 1) await reconnectingOf(redis);
      await assert.rejects(redis.ping());
      assert.deepEqual(messagesOf('fail-fast'), ['redis lost']);
    });
  });

  it('of the blocking kind keeps its commands until Redis is back', async () => {
    const redis = openBlocking();
    await waitUntilReady(redis, 2_000);
    assert.equal(redis.options.maxRetriesPerRequest, null);
    await server.kill();
    await reconnectingOf(redis);
    const answer = redis.ping();
    await server.restart();
    assert.equal(await answer, 'PONG');
  });

  it('carry their name, so that the server shows which is which', async () => {
    const redis = openFailFast('intake-producer');
    await waitUntilReady(redis, 2_000);
    assert.match(String(await redis.client('LIST')), /name=intake-producer/);
  });

  it('look for the new primary when the old one refuses writes', async () => {
    const redis = openFailFast('readonly');
    await waitUntilReady(redis, 2_000);
    await redis.call('REPLICAOF', '127.0.0.1', String(await findFreePort()));
    const reconnecting = reconnectingOf(redis);
    await assert.rejects(redis.set('a', 'b'), /READONLY/);
    await reconnecting;
    await waitUntilReady(redis, 2_000);
    await redis.call('REPLICAOF', 'NO', 'ONE');
  });

  it('are reported as not ready after the time one would wait', async () => {
    const url = `redis://127.0.0.1:${await findFreePort()}`;
    const redis = openFailFast('nowhere', url);
    await assert.rejects(waitUntilReady(redis, 50), /not ready within 50 ms \(nowhere\)/);
    const waiting = waitUntilReady(redis, 5_000);
    await Promise.all([assert.rejects(waiting, /closed before it was ready/), closeRedis(redis)]);
  });

  describe('closeRedis', () => {
    it('lets replies under way come in first', async () => {
      const redis = openBlocking();
      await waitUntilReady(redis, 2_000);
      const [answer] = await Promise.all([redis.ping(), closeRedis(redis)]);
      assert.equal(answer, 'PONG');
      assert.equal(redis.status, 'end');
    });

    it('ends a connection between two attempts, and the commands that wait on it', async () => {
      const redis = openBlocking(`redis://127.0.0.1:${await findFreePort()}`);
      const waiting = assert.rejects(redis.ping());
      await reconnectingOf(redis);
      await closeRedis(redis);
      await waiting;
      assert.equal(redis.status, 'end');
    });

    it('does not wait for a server that hangs or a command that blocks', async () => {
      const hanging = openBlocking();
      await waitUntilReady(hanging, 2_000);
      const blocked = assert.rejects(hanging.brpop('nothing-here', 60));
      await waitFor(async () => /cmd=brpop/.test(await clientList()), { what: 'the command to block' });
      const { tookMs } = await timed(closeRedis(hanging));
      assert.ok(tookMs < 2_500, `${tookMs} ms`);
      await blocked;
    });
  });
});
