import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createForecast, freeSlots, nextSlotAtMs } from '../forecast.ts';
import { scarcestLimit } from '../limits.ts';
import { call, hourMs, keySpace, started, useLedger } from '../test-support/use-ledger.ts';
import { ledgerKeys } from './ledger-keys.ts';

const minuteMs = 60_000;
const keys = ledgerKeys(keySpace);
const throttled = { outcome: 'throttled', facts: {} };

describe('ledger: several limits at once', () => {
  const suite = useLedger(useEmbeddedRedis());
  const use = (perMinute: number, perHour: number) =>
    suite.use({
      limits: [
        { calls: perMinute, windowMs: minuteMs },
        { calls: perHour, windowMs: hourMs },
      ],
    });
  /** Calls 1 to n, made and answered so long ago. */
  async function made(count: number, agoMs: number, from = 1) {
    const [seconds] = await suite.redis.time();
    for (let n = from; n < from + count; n += 1) {
      await suite.redis.zadd(keys.calls, Number(seconds) * 1_000 - agoMs, `call-${n}`);
      const entry = {
        ...call(n),
        spentAt: Number(seconds) * 1_000 - agoMs,
        callTimeoutMs: 1,
        outcome: 'started',
      };
      await suite.redis.hset(keys.entries, `call-${n}`, JSON.stringify({ ...entry, used: 1, limit: 1 }));
    }
    return Number(seconds) * 1_000 - agoMs;
  }
  const limits = async () =>
    (await suite.ledger.snapshot()).limits.map(({ calls, used, windowMs }) => [calls, used, windowMs]);

  it('refuse a call while any window is full, and say when none is any more', async () => {
    await use(2, 5);
    await suite.granted(call(1));
    await suite.granted(call(2));
    const byMinute = await suite.ledger.spend(call(3));
    assert.ok(byMinute.kind === 'full' && byMinute.nextSlotAtMs < byMinute.nowMs + 2 * minuteMs);
    assert.equal(byMinute.by, 'quota');
    await use(2, 5);
    const countedMs = await made(5, 30 * minuteMs);
    const byHour = await suite.ledger.spend(call(6));
    assert.ok(byHour.kind === 'full' && byHour.nextSlotAtMs === countedMs + hourMs);
    await made(2, 0, 7);
    const byBoth = await suite.ledger.spend(call(6));
    assert.ok(byBoth.kind === 'full' && byBoth.nextSlotAtMs === countedMs + hourMs, 'the later of both');
  });

  it('are shown with what is used of each, and the scarcest is the one that stops calls first', async () => {
    await use(2, 5);
    await made(4, 2 * minuteMs);
    await suite.granted(call(9));
    assert.deepEqual(await limits(), [
      [2, 1, minuteMs],
      [5, 5, hourMs],
    ]);
    const view = await suite.ledger.snapshot();
    assert.equal(scarcestLimit(view).windowMs, hourMs);
    assert.deepEqual([freeSlots(view), nextSlotAtMs(view)], [0, view.limits[1]?.opensAtMs]);
  });

  describe('after a 429', () => {
    const stated = (calls: number, windowMs: number) => ({ ...throttled, statedQuota: { calls, windowMs } });

    it('of the minute, leave the hour as it is', async () => {
      await use(10, 100);
      await made(20, 2 * minuteMs);
      await suite.granted(call(31));
      await suite.granted(call(32));
      const answer = await suite.ledger.recordAnswer('call-32', stated(100, minuteMs));
      assert.equal(answer?.throttledInMs, minuteMs);
      assert.deepEqual(await limits(), [
        [1, 2, minuteMs],
        [100, 22, hourMs],
      ]);
      const [minute] = (await suite.ledger.snapshot()).limits;
      assert.ok((minute.lower?.untilMs ?? 0) <= Date.now() + minuteMs + 1_000, 'for a minute');
    });

    it('of the hour, lower the hour for an hour and leave the minute as it is', async () => {
      await use(10, 100);
      await made(20, 2 * minuteMs);
      await suite.granted(call(32));
      const answer = await suite.ledger.recordAnswer('call-32', stated(1_500, hourMs));
      assert.equal(answer?.throttledInMs, hourMs);
      assert.deepEqual(await limits(), [
        [10, 1, minuteMs],
        [20, 21, hourMs],
      ]);
      const refused = await suite.ledger.spend(call(33));
      assert.ok(refused.kind === 'full' && refused.by === 'stricter');
      assert.ok(refused.nextSlotAtMs > refused.nowMs + 50 * minuteMs);
    });

    it('that states nothing, lower the shortest window that is as long as the wait it asks for', async () => {
      for (const [retryAfterMs, windowMs] of [
        [undefined, minuteMs],
        [57_000, minuteMs],
        [minuteMs, minuteMs],
        [61_000, hourMs],
        [2 * hourMs, hourMs],
      ]) {
        await use(10, 100);
        await suite.granted(call(1));
        const answer = await suite.ledger.recordAnswer('call-1', {
          ...throttled,
          ...(retryAfterMs !== undefined && { retryAfterMs }),
        });
        assert.equal(answer?.throttledInMs, windowMs, String(retryAfterMs));
      }
    });

    it('judge its cause by the window that it names', async () => {
      await use(10, 100);
      await made(20, 2 * minuteMs);
      await suite.granted(call(31));
      const ofMinute = await suite.ledger.recordAnswer('call-31', stated(10, minuteMs));
      assert.equal(ofMinute?.cause, 'external', 'one call of ours cannot have filled the minute');
      await suite.granted(call(32));
      const ofHour = await suite.ledger.recordAnswer('call-32', stated(20, hourMs));
      assert.equal(ofHour?.cause, 'own', 'twenty of ours were accepted within the hour');
    });
  });

  it('with thousands of calls: a snapshot lists the newest hundred, and the times of all others', async () => {
    await use(100, 1_500);
    const oldest = await made(700, 20 * minuteMs);
    await made(60, 10 * minuteMs, 701);
    await made(60, 5 * minuteMs, 761);
    const reader = await suite.unopened().snapshot();
    assert.equal(reader.slotsInUse.length, 100);
    assert.equal(reader.slotsInUse.at(-1)?.call?.machineId.slice(0, 8), 'machine-');
    assert.equal(reader.othersCountFromMs?.length, 720);
    assert.equal(reader.othersCountFromMs?.[0], oldest);
    assert.equal((await suite.ledger.snapshot()).othersCountFromMs, undefined, 'a worker forecasts nothing');
    assert.deepEqual(
      reader.limits.map(({ used }) => used),
      [0, 820],
    );
    const startMs = createForecast(reader)(681);
    assert.equal(startMs, oldest + hourMs, 'the slots of the first 700 open');
  });

  it('with thousands of calls: what counts in no window goes when there is too much of it', async () => {
    await use(100, 1_500);
    await made(1_520, 2 * hourMs);
    await made(10, 5 * minuteMs, 2_001);
    await suite.granted(call(3_001));
    assert.equal(await suite.redis.zcard(keys.calls), 1_501);
    assert.equal(await suite.redis.hlen(keys.entries), 1_501);
    await suite.use({ limit: 1_600, windowMs: hourMs });
    await made(1_600, 30 * minuteMs);
    assert.equal((await suite.ledger.spend(call(3_002))).kind, 'full');
    assert.equal(await suite.redis.zcard(keys.calls), 1_600, 'and what counts stays');
  });

  it('hold an emptied ledger for the longest window', async () => {
    await suite.redis.flushall();
    const opened = await suite
      .unopened({
        limits: [
          { calls: 100, windowMs: minuteMs },
          { calls: 1_500, windowMs: hourMs },
        ],
        callTimeoutMs: 1_000,
      })
      .open();
    const forMs = (opened.coldStart?.untilMs ?? 0) - opened.nowMs;
    assert.ok(forMs >= hourMs + 1_000 && forMs < hourMs + 2_000, `${forMs} ms`);
  });

  it('count a call that was given back in none of the windows', async () => {
    await use(2, 5);
    await suite.granted(call(1));
    await suite.ledger.giveBack('call-1');
    assert.deepEqual(await limits(), [
      [2, 0, minuteMs],
      [5, 0, hourMs],
    ]);
    await suite.granted(call(2));
    await suite.ledger.recordAnswer('call-2', started);
    assert.deepEqual(
      (await limits()).map(([, used]) => used),
      [1, 1],
    );
  });
});
