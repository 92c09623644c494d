import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { freeSlots } from '../forecast.ts';
import { call, hourMs, limitOf, started, useLedger } from '../test-support/use-ledger.ts';

const throttled = { outcome: 'throttled', facts: {} };

describe('ledger: use of the quota by other applications', () => {
  const suite = useLedger(useEmbeddedRedis());
  const limits = async () => {
    const view = await suite.ledger.snapshot();
    const { limit, quotaLimit } = limitOf(view);
    return [limit, quotaLimit, freeSlots(view)];
  };
  beforeEach(() => suite.use({ limit: 5 }));

  it('lowers the limit to the calls that fitted, when one is throttled while slots are free', async () => {
    for (const n of [1, 2]) {
      await suite.granted(call(n));
      await suite.ledger.recordAnswer(`call-${n}`, started);
    }
    await suite.granted(call(3));
    const fitted = await suite.ledger.findCall('call-1');
    await suite.ledger.recordAnswer('call-3', throttled);
    assert.deepEqual(await limits(), [2, 5, 0]);
    const refused = await suite.ledger.spend(call(4));
    assert.ok(refused.kind === 'full' && refused.nextSlotAtMs === (fitted?.answeredAt ?? 0) + hourMs);
    assert.equal(refused.by, 'stricter', 'than a limiter knows that only has the quota');
  });

  it('says until when the limit is lower, and nothing while it is not', async () => {
    assert.equal(limitOf(await suite.ledger.snapshot()).limitUntilMs, undefined);
    await suite.granted(call(1));
    const answer = await suite.ledger.recordAnswer('call-1', throttled);
    const { limitUntilMs } = limitOf(await suite.ledger.snapshot());
    assert.equal(limitUntilMs, answer?.freeAtMs);
  });

  it('leaves one call possible even if none fitted', async () => {
    await suite.granted(call(1));
    await suite.ledger.recordAnswer('call-1', throttled);
    assert.deepEqual(await limits(), [1, 5, 1]);
    await suite.granted(call(2));
    assert.equal((await suite.ledger.spend(call(3))).kind, 'full');
  });

  it('is reckoned from all calls in flight, in whatever order their answers come', async () => {
    for (const n of [1, 2, 3, 4, 5]) await suite.granted(call(n));
    for (const n of [3, 4, 5]) await suite.ledger.recordAnswer(`call-${n}`, throttled);
    for (const n of [1, 2]) await suite.ledger.recordAnswer(`call-${n}`, started);
    assert.deepEqual(await limits(), [2, 5, 0]);
  });

  it('lowers the limit too when all slots were in use: that does not show whose calls Defender counted', async () => {
    for (const n of [1, 2, 3, 4, 5]) await suite.granted(call(n));
    for (const n of [1, 2, 3, 4]) await suite.ledger.recordAnswer(`call-${n}`, started);
    await suite.ledger.recordAnswer('call-5', throttled);
    assert.deepEqual(await limits(), [4, 5, 0]);
  });

  it('is not concluded from any other outcome', async () => {
    await suite.granted(call(1));
    await suite.ledger.recordAnswer('call-1', { outcome: 'server_error', facts: {} });
    assert.deepEqual(await limits(), [5, 5, 4]);
  });

  it('lowers the limit further with each call that does not fit, and is not raised by what fits', async () => {
    for (const n of [1, 2, 3, 4, 5]) await suite.granted(call(n));
    const seen: unknown[] = [];
    for (const n of [4, 3, 2, 1]) {
      await suite.ledger.recordAnswer(`call-${n}`, throttled);
      seen.push(limitOf(await suite.ledger.snapshot()).limit);
    }
    await suite.ledger.recordAnswer('call-5', started);
    assert.deepEqual([...seen, limitOf(await suite.ledger.snapshot()).limit], [4, 3, 2, 1, 1]);
  });

  it('is forgotten after one window: the full limit is tried again', async () => {
    await suite.use({ limit: 5, windowMs: 40, callTimeoutMs: 10 });
    await suite.granted(call(1));
    const answer = await suite.ledger.recordAnswer('call-1', throttled);
    assert.deepEqual(await limits(), [1, 5, 1]);
    await suite.untilPast(answer?.freeAtMs);
    assert.deepEqual(await limits(), [5, 5, 5]);
    for (const n of [2, 3]) await suite.granted(call(n));
  });
});
