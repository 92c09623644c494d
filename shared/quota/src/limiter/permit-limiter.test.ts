import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { Permit, PermitLimiter } from './permit-limiter.ts';
import { usePermitLimiters } from '../test-support/permit-limiters.ts';

describe('permit limiter', () => {
  const redis = useEmbeddedRedis();
  const limiters = usePermitLimiters();
  beforeEach('forget all permits', () => redis.flush());

  const open = (settings: { limit: number; windowMs?: number }) => limiters.open(redis.url, settings);

  describe('giving permits', () => {
    it('gives as many as the limit, and no more, to all processes together', async () => {
      const three = await Promise.all([open({ limit: 5 }), open({ limit: 5 }), open({ limit: 5 })]);
      const asked = await Promise.all(
        three.flatMap((limiter) => Array.from({ length: 4 }, () => limiter.tryAcquire())),
      );
      assert.equal(asked.filter(Boolean).length, 5);
    });

    it('does not wait for a slot: without one it says so at once, every time', async () => {
      const [one, other] = await Promise.all([open({ limit: 1 }), open({ limit: 1 })]);
      await acquire(one);
      for (let i = 0; i < 20; i += 1) {
        assert.equal(await promptly(one.tryAcquire()), undefined);
        assert.equal(await promptly(other.tryAcquire()), undefined);
      }
    });

    it('gives back a released permit at once', async () => {
      const [one, other] = await Promise.all([open({ limit: 1 }), open({ limit: 1 })]);
      for (const limiter of [one, other, one]) {
        const permit = await untilGranted(limiter, 500);
        permit.release();
      }
    });

    it('gives back a kept permit after one window, and not before', async () => {
      const windowMs = 150;
      const [one, other] = await Promise.all([open({ limit: 1, windowMs }), open({ limit: 1, windowMs })]);
      const permit = await acquire(one);
      const keptAt = performance.now();
      permit.keepForOneWindow();
      await untilGranted(other, 1_000);
      const awayMs = performance.now() - keptAt;
      assert.ok(awayMs >= windowMs, `came back after ${awayMs} ms`);
      assert.ok(awayMs < windowMs + 150, `came back after ${awayMs} ms`);
    });

    it('gives back a kept permit when the slot of its call opens in the ledger, whenever its process gets to it', async () => {
      const windowMs = 3_600_000;
      const [one, other] = await Promise.all([open({ limit: 1, windowMs }), open({ limit: 1, windowMs })]);
      const permit = await acquire(one);
      permit.spent();
      const [seconds, micros] = await redis.client.time();
      const opensAtMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000) + 400;
      permit.counted(opensAtMs - windowMs);
      permit.keepForOneWindow();
      const leases = `b_${limiters.keySpace}:permits_job_expirations`;
      const lease = async () => Number((await redis.client.zrange(leases, '0', '0', 'WITHSCORES'))[1]);
      await waitFor(async () => (await lease()) === opensAtMs, {
        what: 'the lease to end with the slot',
        intervalMs: 1,
      });
      await untilGranted(other, 1_000);
    });

    for (const minutes of [10, -10]) {
      it(`goes by the clock of Redis: one whose own is ${minutes} minutes off neither keeps nor frees others' permits`, async () => {
        const windowMs = 300;
        const [wrong, right] = await Promise.all([
          open({ limit: 2, windowMs }),
          open({ limit: 2, windowMs }),
        ]);
        const realNow = Date.now;
        let keptAt: number;
        try {
          (await acquire(right)).keepForOneWindow();
          Date.now = () => realNow() + minutes * 60_000;
          (await acquire(wrong)).keepForOneWindow();
          keptAt = performance.now();
          assert.equal(await wrong.tryAcquire(), undefined);
        } finally {
          Date.now = realNow;
        }
        assert.equal(await right.tryAcquire(), undefined);
        await untilGranted(right, 1_000);
        await untilGranted(right, 1_000);
        assert.ok(performance.now() - keptAt < windowMs + 300);
      });
    }

    it('takes over the limit of the process that started last', async () => {
      const early = await open({ limit: 1 });
      await acquire(early);
      const late = await open({ limit: 3 });
      await acquire(early);
      await acquire(late);
      assert.equal(await early.tryAcquire(), undefined);
      await open({ limit: 2 });
      assert.equal(await late.tryAcquire(), undefined);
    });
  });

  describe('when several ask for the last one', () => {
    it('gives it to exactly one, refuses the others promptly, and loses none', async () => {
      const four = await Promise.all(Array.from({ length: 4 }, () => open({ limit: 1 })));
      for (let round = 0; round < 10; round += 1) {
        const asked = await Promise.all(four.map((limiter) => promptly(limiter.tryAcquire())));
        const granted = asked.filter((permit) => permit !== undefined);
        assert.equal(granted.length, 1, `in round ${round}`);
        granted[0]?.release();
        (await untilGranted(four[round % 4]!, 500)).release();
        await untilAllAreBack();
      }
    });

    it('keeps no request waiting that would take a permit after its caller has given up', async () => {
      const [one, ...others] = await Promise.all(Array.from({ length: 4 }, () => open({ limit: 1 })));
      const asked = await Promise.all([one!, ...others].map((limiter) => promptly(limiter.tryAcquire())));
      const granted = asked.find((permit) => permit !== undefined);
      // The loser asks once more while there is still no permit: refused like any other.
      for (const limiter of others) assert.equal(await promptly(limiter.tryAcquire()), undefined);
      const taken = await redis.client.hget(settingsKey(), 'done');
      granted?.release();
      await untilGranted(one!, 500);
      const doneSince = Number(await redis.client.hget(settingsKey(), 'done')) - Number(taken);
      assert.equal(doneSince, 1, 'the released permit, and none that a late job took');
    });
  });

  describe('after a loss of its state', () => {
    const losses: [what: string, lose: () => Promise<unknown>][] = [
      ['FLUSHALL', () => redis.client.flushall()],
      ['SCRIPT FLUSH', () => redis.client.script('FLUSH')],
      ['the loss of its settings', () => redis.client.del(settingsKey())],
      [
        'the loss of its list of clients',
        () => redis.client.del(settingsKey().replace('settings', 'client_last_seen')),
      ],
    ];
    for (const [what, lose] of losses) {
      it(`works on after ${what}`, async () => {
        const limiter = await open({ limit: 2 });
        (await acquire(limiter)).release();
        await untilAllAreBack();
        await lose();
        await untilGranted(limiter, 1_000);
        await untilGranted(limiter, 1_000);
        assert.equal(await limiter.tryAcquire(), undefined);
      });
    }
  });

  describe('when its answer is late', () => {
    it('rejects instead of waiting, and gives back the permit that comes after all', async () => {
      const limiter = await open({ limit: 1 });
      await redis.client.client('PAUSE', 1_200, 'ALL');
      await assert.rejects(limiter.tryAcquire(), /no answer/);
      await untilGranted(limiter, 1_000);
    });
  });

  async function untilAllAreBack(): Promise<void> {
    await waitFor(async () => (await redis.client.hget(settingsKey(), 'running')) === '0', {
      what: 'all permits to be back',
      intervalMs: 2,
    });
  }

  function settingsKey(): string {
    return `b_${limiters.keySpace}:permits_settings`;
  }
});

async function acquire(limiter: PermitLimiter): Promise<Permit> {
  const permit = await limiter.tryAcquire();
  assert.ok(permit, 'a permit is free');
  return permit;
}

async function untilGranted(limiter: PermitLimiter, timeoutMs: number): Promise<Permit> {
  return await waitFor(() => limiter.tryAcquire(), { what: 'a permit', timeoutMs, intervalMs: 2 });
}

/** Far above a round trip, far below any wait for a slot. */
async function promptly<T>(answer: Promise<T>): Promise<T> {
  const askedAt = performance.now();
  const given = await answer;
  const tookMs = performance.now() - askedAt;
  assert.ok(tookMs < 400, `took ${tookMs} ms`);
  return given;
}
