import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { ledgerKeys } from './ledger-keys.ts';
import { keySpace, useLedger } from '../test-support/use-ledger.ts';

const { workers } = ledgerKeys(keySpace);

describe('ledger: workers', () => {
  const suite = useLedger(useEmbeddedRedis());
  const seen = async () => (await suite.unopened().snapshot()).workers;
  const signs = () => suite.redis.hvals(workers);

  it('are alive from opening the ledger on; a process that only reads is not counted', async () => {
    assert.equal((await seen())?.alive, 1);
    await suite.withSettings();
    assert.equal((await seen())?.alive, 2);
  });

  it('are counted as gone after 10 s without a sign of life, and their last sign is kept', async () => {
    await suite.redis.del(workers);
    assert.deepEqual(await seen(), { alive: 0 });
    const { nowMs } = await suite.unopened().snapshot();
    await suite.redis.hset(workers, 'silent', `${nowMs - 10_500}/h`, 'slow', `${nowMs - 9_000}/h`);
    assert.deepEqual(await seen(), { alive: 1, lastSeenAtMs: nowMs - 9_000 });
    await suite.redis.hdel(workers, 'slow');
    assert.deepEqual(await seen(), { alive: 0, lastSeenAtMs: nowMs - 10_500 });
  });

  it('are gone at once when they say so, and no later snapshot brings them back', async () => {
    const { nowMs } = await suite.unopened().snapshot();
    await suite.ledger.leave();
    // Its first one, with which it would show a sign of life.
    await suite.ledger.snapshot();
    const { alive, lastSeenAtMs = 0 } = (await seen()) ?? {};
    assert.equal(alive, 0);
    assert.ok(lastSeenAtMs >= nowMs);
  });

  it('that are forgotten leave no sign when they stop', async () => {
    await suite.redis.del(workers);
    await suite.ledger.leave();
    assert.deepEqual(await signs(), []);
  });

  it('that stopped in order count for a handover as if they had not: calls of theirs may be missing', async () => {
    const other = await suite.withSettings();
    await other.leave();
    await suite.redis.hset(ledgerKeys(keySpace).generation, 'server', 'another');
    assert.equal((await suite.ledger.snapshot()).isLost, true);
    const { handoverUntilMs = 0, nowMs } = await suite.ledger.open();
    assert.ok(handoverUntilMs - nowMs > 10_000, 'the one that stopped is waited for');
  });

  it('that showed their sign of life before others came are forgotten when one opens the ledger', async () => {
    const { nowMs } = await suite.ledger.snapshot();
    await suite.redis.hset(workers, 'old', `${nowMs - 16_000}/h`, 'recent', `${nowMs - 14_000}/h`);
    await suite.withSettings();
    assert.equal((await signs()).length, 3);
  });

  it('read without a sign of life while Redis takes no writes', async () => {
    const other = await suite.withSettings();
    await suite.redis.del(workers);
    await suite.redis.config('SET', 'min-replicas-to-write', '1');
    try {
      assert.equal((await other.snapshot()).isLost, false);
    } finally {
      await suite.redis.config('SET', 'min-replicas-to-write', '0');
    }
    assert.deepEqual(await signs(), []);
  });

  it('write their signs of life also while Redis is full', async () => {
    const other = await suite.withSettings();
    await suite.redis.config('SET', 'maxmemory', '1');
    try {
      await suite.redis.del(workers);
      await other.snapshot();
      assert.equal((await seen())?.alive, 1);
    } finally {
      await suite.redis.config('SET', 'maxmemory', '0');
    }
  });
});
