import assert from 'node:assert/strict';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { useLedgerConnections } from './test-support/ledger-connections.ts';
import { createPermitLimiter } from './permit-limiter.ts';
import type { Permit, PermitLimiter } from './permit-limiter.ts';
import { usePermitLimiters } from './test-support/permit-limiters.ts';

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
    await limiter.close();
    permit.release();
    await assert.rejects(withinTwoSeconds(limiter.tryAcquire()));
  });
});

describe('permit limiter that cannot be made', () => {
  const redis = useEmbeddedRedis();
  const connections = useLedgerConnections();

  it('rejects and leaves no connection open', async () => {
    const keySpace = 'test:{unmakable}';
    await redis.client.set(`b_${keySpace}:permits_settings`, 'not a hash');
    const connection = await connections.open(redis.url);
    const options = { keySpace, limit: 1, windowMs: 1_000, callTimeoutMs: 100, onError() {} };
    const before = await connectionCount();
    await assert.rejects(createPermitLimiter({ ...options, redis: connection }), /WRONGTYPE/);
    await waitFor(async () => (await connectionCount()) === before, { what: 'its connections to be closed' });
  });

  async function connectionCount(): Promise<number> {
    const list = String(await redis.client.client('LIST'));
    return list.split('\n').filter(Boolean).length;
  }
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
