import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { useLedgerConnections } from '../test-support/ledger-connections.ts';
import {
  createPermitLimiter,
  openLimiterConnection,
  type Permit,
  type PermitLimiter,
} from './permit-limiter.ts';
import { usePermitLimiters } from '../test-support/permit-limiters.ts';

describe('permit limiter without Redis', () => {
  before(requireRedisServer);
  let server: RedisServer;
  const limiters = usePermitLimiters();
  beforeEach('start a Redis of its own', async () => {
    server = await startRedisServer();
  });
  afterEach('stop it', () => server.stop());

  it('rejects while Redis is down, within two seconds, and works on when Redis is back', async () => {
    const limiter = await limiters.open(server.url, { limit: 2 });
    await acquire(limiter);
    await server.kill();
    for (let i = 0; i < 3; i += 1) await assert.rejects(withinTwoSeconds(limiter.tryAcquire()));
    await server.restart();
    await untilGranted(limiter);
    await untilGranted(limiter);
    assert.equal(await limiter.tryAcquire(), undefined);
  });

  it('rejects while Redis hangs, within two seconds, and loses no permit by it', async () => {
    const limiter = await limiters.open(server.url, { limit: 2 });
    await server.kill('SIGSTOP');
    await assert.rejects(withinTwoSeconds(limiter.tryAcquire()));
    await server.kill('SIGCONT');
    await untilGranted(limiter);
    await untilGranted(limiter);
    assert.equal(await limiter.tryAcquire(), undefined);
  });

  it('takes no harm from being closed while Redis is down', async () => {
    const limiter = await limiters.open(server.url, { limit: 1 });
    const permit = await acquire(limiter);
    await server.kill();
    limiter.close();
    permit.release();
    await assert.rejects(withinTwoSeconds(limiter.tryAcquire()));
  });
});

describe('permit limiter whose connection is lost again as soon as it is back', () => {
  const redis = useEmbeddedRedis();
  const limiters = usePermitLimiters();

  it('goes on, and hears what the others say once the connection stays', async () => {
    const channel = `b_${limiters.keySpace}:permits`;
    const listeners = async () => Number((await redis.client.pubsub('NUMSUB', channel))[1]);
    const proxy = await startCuttingProxy(new URL(redis.url));
    const rejections: unknown[] = [];
    const note = (reason: unknown) => void rejections.push(reason);
    process.prependListener('unhandledRejection', note);
    try {
      const limiter = await limiters.open(proxy.url, { limit: 2 });
      assert.equal(await listeners(), 1);
      proxy.cutAtSubscribe(3);
      await waitFor(() => proxy.cuts() === 3, { what: 'three lost connections' });
      await waitFor(async () => (await listeners()) === 1, { what: 'the subscription' });
      await untilGranted(limiter);
      assert.deepEqual(rejections, []);
    } finally {
      process.off('unhandledRejection', note);
      await proxy.close();
    }
  });
});

/** In front of Redis; resets all connections now, and then those that want to subscribe, so many of them. */
async function startCuttingProxy(target: URL) {
  const sockets = new Set<Socket>();
  let left = 0;
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
      from.on('data', (chunk) => {
        if (from === client && left > 0 && chunk.includes('subscribe')) {
          left -= 1;
          cuts += 1;
          client.resetAndDestroy();
        } else to.write(chunk);
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const resetAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
    sockets.clear();
  };
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAtSubscribe(times: number) {
      left = times;
      resetAll();
    },
    cuts: () => cuts,
    async close() {
      server.close();
      resetAll();
      await once(server, 'close');
    },
  };
}

describe('permit limiter that cannot be made', () => {
  const redis = useEmbeddedRedis();
  const connections = useLedgerConnections();

  it('rejects and leaves nothing running: its connection goes on serving others', async () => {
    const keySpace = 'test:{unmakable}';
    await redis.client.set(`b_${keySpace}:permits_settings`, 'not a hash');
    const connection = openLimiterConnection(await connections.open(redis.url), () => undefined);
    const options = { connection, limits: [{ calls: 1, windowMs: 1_000 }], callTimeoutMs: 100, onError() {} };
    await assert.rejects(createPermitLimiter({ ...options, keySpace }), /WRONGTYPE/);
    assert.deepEqual(await redis.client.pubsub('CHANNELS', `b_${keySpace}*`), []);
    const other = await createPermitLimiter({ ...options, keySpace: 'test:{makable}' });
    assert.ok(await other.tryAcquire());
    other.close();
    await connection.close();
  });
});

async function acquire(limiter: PermitLimiter): Promise<Permit> {
  const permit = await limiter.tryAcquire();
  assert.ok(permit, 'a permit is free');
  return permit;
}

async function untilGranted(limiter: PermitLimiter): Promise<Permit> {
  return await waitFor(() => limiter.tryAcquire(), { what: 'a permit' });
}

async function withinTwoSeconds<T>(answer: Promise<T>): Promise<T> {
  const askedAt = performance.now();
  try {
    return await answer;
  } finally {
    const tookMs = performance.now() - askedAt;
    assert.ok(tookMs < 2_000, `took ${tookMs} ms`);
  }
}
