import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { call, hourMs, keySpace, limitOf, started, useLedger } from '../test-support/use-ledger.ts';
import { ledgerKeys } from './ledger-keys.ts';

const halfHourMs = hourMs / 2;

describe('ledger: changed settings', () => {
  const suite = useLedger(useEmbeddedRedis());
  const inForce = async () => {
    const { limit, windowMs } = limitOf(await suite.unopened().snapshot());
    return [limit, windowMs];
  };
  const allInForce = async () =>
    (await suite.unopened().snapshot()).limits.map(({ calls, windowMs }) => [calls, windowMs]);
  /** As if no worker had declared a setting for this long. */
  async function age(ms: number) {
    const key = ledgerKeys(keySpace).settings;
    for (const [setting, atMs] of Object.entries(await suite.redis.hgetall(key)))
      await suite.redis.hset(key, setting, Number(atMs) - ms);
  }

  it('bind at once where they are stricter, in limit or in window', async () => {
    await suite.use({ limit: 50, windowMs: halfHourMs });
    await suite.withSettings({ limit: 5, windowMs: hourMs });
    assert.deepEqual(await allInForce(), [[5, hourMs]]);
    await suite.use({ limit: 50, windowMs: hourMs });
    await suite.withSettings({ limit: 5, windowMs: halfHourMs });
    assert.deepEqual(await allInForce(), [
      [5, halfHourMs],
      [50, hourMs],
    ]);
  });

  it('with other windows hold beside the ones before: each of their limits, without those that others imply', async () => {
    const minuteMs = 60_000;
    await suite.use({
      limits: [
        { calls: 1_500, windowMs: hourMs },
        { calls: 100, windowMs: minuteMs },
      ],
    });
    assert.deepEqual(await allInForce(), [
      [100, minuteMs],
      [1_500, hourMs],
    ]);
    await suite.withSettings({ limit: 1_000, windowMs: halfHourMs });
    assert.deepEqual(await allInForce(), [
      [100, minuteMs],
      [1_000, halfHourMs],
      [1_500, hourMs],
    ]);
    await suite.withSettings({ limit: 60, windowMs: hourMs });
    assert.deepEqual(await allInForce(), [[60, hourMs]]);
    await age(hourMs + 30_000);
    assert.deepEqual(await allInForce(), [[60, hourMs]]);
  });

  it('take effect where they are looser when one of the longer window and its calls are over, and not before', async () => {
    await suite.use({ limit: 5, windowMs: hourMs, callTimeoutMs: 30_000 });
    const later = await suite.withSettings({ limit: 50, windowMs: halfHourMs, callTimeoutMs: 10_000 });
    assert.deepEqual(await inForce(), [5, hourMs]);
    await age(hourMs);
    assert.deepEqual(await inForce(), [5, hourMs]);
    await age(30_000);
    assert.deepEqual(await inForce(), [50, halfHourMs]);
    assert.equal(limitOf(await later.snapshot()).limit, 50);
  });

  it('take effect no sooner after a time without calls: what counts is when they were changed', async () => {
    await suite.use({ limit: 5, windowMs: hourMs });
    await age(3 * hourMs);
    assert.deepEqual(await inForce(), [5, hourMs], 'still what applies');
    await suite.withSettings({ limit: 50, windowMs: hourMs });
    assert.deepEqual(await inForce(), [5, hourMs]);
  });

  it('and changed back, are as if they had not been', async () => {
    await suite.use({ limit: 5, windowMs: hourMs });
    await suite.withSettings({ limit: 50, windowMs: halfHourMs });
    await suite.withSettings({ limit: 5, windowMs: hourMs });
    assert.deepEqual(await inForce(), [5, hourMs]);
    await age(halfHourMs);
    assert.deepEqual(await inForce(), [5, hourMs]);
  });

  it('extend what was recorded under the shorter window, and do not shorten what was under the longer', async () => {
    await suite.use({ windowMs: halfHourMs });
    await suite.granted(call(1));
    const early = await suite.ledger.recordAnswer('call-1', started);
    await suite.withSettings({ windowMs: hourMs });
    const slots = async () => (await suite.unopened().snapshot()).slotsInUse.map((slot) => slot.freeAtMs);
    assert.deepEqual(await slots(), [(early?.freeAtMs ?? 0) + halfHourMs]);
    await suite.withSettings({ windowMs: halfHourMs });
    assert.deepEqual(await slots(), [(early?.freeAtMs ?? 0) + halfHourMs]);
  });

  it('bind workers that still run with the old ones: the stricter of their own settings and the recorded ones', async () => {
    await suite.use({ limit: 50 });
    const old = suite.ledger;
    await suite.withSettings({ limit: 1 });
    assert.equal((await old.spend(call(1))).kind, 'granted');
    const refused = await old.spend(call(2));
    assert.ok(refused.kind === 'full' && refused.by === 'stricter');
  });

  it('do not end the settings of a worker that still runs with the old ones: each of its calls renews them', async () => {
    await suite.use({ limit: 2 });
    const old = suite.ledger;
    const later = await suite.withSettings({ limit: 50 });
    await age(hourMs - 1_000);
    assert.equal((await old.spend(call(1))).kind, 'granted');
    await age(hourMs - 1_000);
    assert.equal((await later.spend(call(2))).kind, 'granted');
    assert.equal((await later.spend(call(3))).kind, 'full');
  });

  it('are forgotten one by one, so that the list of them does not grow', async () => {
    for (let limit = 10; limit < 20; limit += 1) {
      await suite.withSettings({ limit });
      await age(2 * hourMs);
    }
    assert.ok((await suite.redis.hlen(ledgerKeys(keySpace).settings)) <= 3);
  });
});
