import assert from 'node:assert/strict';
import type { Redis } from 'ioredis';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { ledgerKeys } from './ledger-keys.ts';
import { createLedger, type HandoverTimes, type Ledger } from './ledger.ts';
import { goBackTo, rememberState } from '../test-support/go-back.ts';
import { call, keySpace, settingsOf, started, usual, useLedger } from '../test-support/use-ledger.ts';

const keys = ledgerKeys(keySpace);
const quick: HandoverTimes = { atLeastMs: 40, atMostMs: 60_000 };

describe('ledger after a failover to an older state of itself', () => {
  const suite = useLedger(useEmbeddedRedis());
  const worker = (handover = quick) => suite.withSettings({ handover });
  const forgetThoseBefore = () => suite.redis.del(keys.workers);
  const restoredBy = async (ledger: Ledger) => (await ledger.open()).restored.map(({ callId }) => callId);
  const idsInUse = async () =>
    (await suite.unopened().snapshot()).slotsInUse.map((slot) => slot.call?.callId);
  const holdsOn = async () => (await suite.unopened().snapshot()).holdsOn;

  beforeEach('begin without workers', forgetThoseBefore);

  /** What is done is lost, but for what the workers remember of it. */
  async function losing(act: () => Promise<unknown>, isOtherServer = true): Promise<void> {
    const before = await rememberState(suite.redis);
    await act();
    await goBackTo(before, suite.redis, isOtherServer);
  }

  async function granted(ledger: Ledger, asked: ReturnType<typeof call>) {
    const reply = await ledger.spend(asked);
    assert.equal(reply.kind, 'granted', JSON.stringify(reply));
  }

  it('is lost to all workers, also to those that never saw the missing calls', async () => {
    const [one, other] = [await worker(), await worker()];
    await losing(() => granted(one, call(1)));
    for (const ledger of [other, one]) {
      assert.equal((await ledger.spend(call(2))).kind, 'lost');
      assert.equal((await ledger.snapshot()).isLost, true);
    }
  });

  it('grants nothing until all workers that were alive have handed over, however long the least time is over', async () => {
    const [one, other] = [await worker(), await worker()];
    await losing(() => granted(one, call(1)));
    const { handoverUntilMs = 0, nowMs } = await other.open();
    assert.ok(handoverUntilMs >= nowMs + quick.atMostMs);
    await suite.untilPast(nowMs + quick.atLeastMs + 5);
    const held = await other.spend(call(2));
    assert.ok(held.kind === 'held' && held.reason === 'failover');
    assert.deepEqual(await restoredBy(one), ['call-1']);
    assert.equal((await other.spend(call(2))).kind, 'granted');
    assert.equal((await other.spend(call(3))).kind, 'full', 'what was handed over counts');
  });

  it('takes the least time, for workers that it does not know', async () => {
    const only = await worker({ atLeastMs: 10_000, atMostMs: 60_000 });
    await losing(() => granted(only, call(1)));
    const { handoverUntilMs = 0, nowMs } = await only.open();
    assert.ok(handoverUntilMs >= nowMs + 10_000 && handoverUntilMs <= nowMs + 10_001);
    assert.equal((await only.spend(call(2))).kind, 'held');
  });

  it('waits one window and one call timeout for a worker that does not come back, where anything was missing', async () => {
    const [one] = [await worker(), await worker()];
    await losing(() => granted(one, call(1)));
    const { handoverUntilMs = 0, nowMs } = await one.open();
    assert.ok(handoverUntilMs >= nowMs + usual.windowMs + usual.callTimeoutMs);
  });

  it('waits longer also if only a worker that comes later finds a call missing', async () => {
    const [one, other] = [await worker(), await worker(), await worker()];
    await losing(() => granted(one, call(1)));
    const first = await other.open();
    assert.ok((first.handoverUntilMs ?? 0) < first.nowMs + usual.windowMs);
    const second = await one.open();
    assert.ok((second.handoverUntilMs ?? 0) >= first.nowMs + usual.windowMs + usual.callTimeoutMs);
  });

  it('does not wait for a worker that was dead before', async () => {
    const only = await worker();
    const { nowMs } = await only.snapshot();
    await suite.redis.hset(keys.workers, 'dead', `${nowMs - 20_000}/x`);
    await losing(() => granted(only, call(1)));
    const opened = await only.open();
    assert.ok((opened.handoverUntilMs ?? 0) <= opened.nowMs + quick.atLeastMs + 1);
    assert.equal(await suite.redis.hexists(keys.workers, 'dead'), 0, 'and forgets it');
  });

  it('waits for a worker that lives by the signs of life that it gives', async () => {
    const [one] = [await worker(), await worker()];
    const [, sign = ''] = await suite.redis.hvals(keys.workers);
    const { nowMs } = await one.snapshot();
    for (const id of await suite.redis.hkeys(keys.workers)) {
      await suite.redis.hset(keys.workers, id, `${nowMs - 60_000}/${sign.split('/')[1]}`);
    }
    const newcomer = await worker();
    await newcomer.snapshot();
    const given = await suite.redis.hvals(keys.workers);
    assert.equal(given.filter((text) => Number(text.split('/')[0]) >= nowMs).length, 1);
  });

  it('is noticed by the number of changes where the process is the same', async () => {
    const [one, other] = [await worker(), await worker()];
    await losing(async () => {
      await granted(one, call(1));
      await other.snapshot();
      await one.giveBack('call-1');
      await other.snapshot();
    }, false);
    assert.equal((await other.spend(call(2))).kind, 'lost');
    await other.open();
    assert.equal((await other.snapshot()).isLost, false);
    assert.deepEqual(await holdsOn(), ['failover']);
  });

  it('gets back the calls of a worker that is gone from a worker that has seen them', async () => {
    const [dead, other] = [await worker(), await worker()];
    await losing(async () => {
      await granted(dead, call(1));
      await dead.recordAnswer('call-1', started);
      await other.snapshot();
    });
    assert.deepEqual(await restoredBy(other), ['call-1']);
    const found = await other.findCall('call-1');
    assert.deepEqual([found?.outcome, found?.facts], ['started', started.facts]);
    assert.equal((await other.spend(call(2, 1))).kind, 'spent');
  });

  it('does not get back a call whose permit another worker gave back', async () => {
    const [one, other] = [await worker(), await worker()];
    await losing(async () => {
      await granted(one, call(1));
      await other.snapshot();
      await one.giveBack('call-1');
      assert.equal((await other.snapshot()).isLost, false);
    });
    assert.deepEqual(await restoredBy(other), []);
    assert.deepEqual(await idsInUse(), []);
  });

  it('does not get back a call whose maker says, after the failover, that it never left', async () => {
    const [one, other] = [await worker(), await worker()];
    await losing(async () => {
      await granted(one, call(1));
      await other.snapshot();
    });
    await one.giveBack('call-1');
    assert.deepEqual(await restoredBy(other), []);
    assert.deepEqual(await idsInUse(), []);
    assert.equal((await other.findCall('call-1'))?.outcome, undefined);
  });

  it('gets the outcome of a call from its maker that another worker took for lost', async () => {
    const [one, other] = [await worker(), await worker()];
    await granted(one, call(1));
    await losing(() => one.recordAnswer('call-1', started));
    await other.open();
    await other.recordAnswer('call-1', { outcome: 'lost', facts: {} });
    assert.deepEqual(await restoredBy(one), ['call-1']);
    assert.equal((await one.findCall('call-1'))?.outcome, 'started');
  });

  it('gets back an outcome that was lost while the call was not', async () => {
    const only = await worker();
    await granted(only, call(1));
    await losing(() => only.recordAnswer('call-1', started), false);
    assert.equal((await only.snapshot()).isLost, true);
    assert.deepEqual(await restoredBy(only), ['call-1']);
    const [slot] = (await only.snapshot()).slotsInUse;
    assert.equal(slot?.call?.outcome, 'started');
    assert.equal(slot.freeAtMs, (slot.call.answeredAt ?? 0) + usual.windowMs, 'and counts from its answer');
  });

  it('hands over an outcome however many times that has to be tried', async () => {
    const only = await worker();
    await losing(() => granted(only, call(1)));
    // A key of the wrong type: what was handed over is there, but the ledger cannot be opened.
    const settings = await suite.redis.dumpBuffer(keys.settings);
    await suite.redis.set(keys.settings, 'x');
    await assert.rejects(only.open());
    await suite.redis.restore(keys.settings, 0, settings ?? '', 'REPLACE');
    assert.deepEqual(await restoredBy(only), ['call-1']);
  });

  it('lets the later call stand for its task, whichever worker hands over last', async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      await suite.use({});
      const workers = [await worker(), await worker()];
      await losing(async () => {
        await granted(workers[0]!, call(1));
        await workers[0]!.recordAnswer('call-1', { outcome: 'server_error', facts: {} });
        await workers[1]!.allowRepeat('call-1');
        // Calls are in order by the millisecond, and a real one takes longer than that.
        await suite.untilPast((await workers[1]!.snapshot()).nowMs + 1);
        await granted(workers[1]!, call(2, 1));
      });
      for (const index of order) await workers[index]!.open();
      const reply = await workers[0]!.spend(call(3, 1));
      assert.ok(reply.kind === 'spent');
      assert.equal(reply.call?.callId, 'call-2');
    }
  });

  it('sets holds again that a worker has seen, and none that it has seen end', async () => {
    const only = await worker();
    await losing(async () => {
      await only.hold('throttled', 60_000);
      await suite.redis.hset(keys.holds, 'paused', 8_000_000_000_000_000);
      await suite.redis.hset(keys.holds, 'failing', Date.now() + 60_000);
      await only.snapshot();
      await suite.redis.hdel(keys.holds, 'failing');
      await only.snapshot();
    });
    await only.open();
    assert.deepEqual((await holdsOn()).toSorted(), ['failover', 'paused', 'throttled']);
  });

  it('returns for each call that stands whether other data on it may have been lost', async () => {
    const only = await worker();
    await granted(only, call(1));
    await losing(async () => undefined);
    const { handoverUntilMs } = await only.open();
    const before = await only.spend(call(2, 1));
    assert.ok(before.kind === 'spent' && before.isDoubtful);
    await suite.untilPast((handoverUntilMs ?? 0) + 1);
    await granted(only, call(3));
    const after = await only.spend(call(4, 3));
    assert.ok(after.kind === 'spent' && !after.isDoubtful);
  });

  it('is opened by a new worker without a journal, which waits for the others as well', async () => {
    const one = await worker();
    await losing(() => granted(one, call(1)));
    const newcomer = suite.unopened({ handover: quick });
    const opened = await newcomer.open();
    assert.ok((opened.handoverUntilMs ?? 0) >= opened.nowMs + quick.atMostMs);
    assert.equal((await newcomer.spend(call(2))).kind, 'held');
  });

  it('works where Redis may not be asked which process it is', async () => {
    await suite.redis.acl('SETUSER', 'narrow', 'on', '>pass', '~*', '&*', '+@all', '-info');
    try {
      const connection = (suite.connection as Redis).duplicate({
        username: 'narrow',
        password: 'pass',
        enableReadyCheck: false,
      });
      const ledger = createLedger(connection, keySpace, settingsOf({ handover: quick }));
      const { handoverUntilMs } = await waitUntilOpen(ledger);
      await suite.untilPast((handoverUntilMs ?? 0) + 1);
      await granted(ledger, call(1));
      assert.equal((await ledger.snapshot()).isLost, false);
      connection.disconnect();
    } finally {
      await suite.redis.acl('DELUSER', 'narrow');
    }
  });

  it('counts a call in a window that was doubled after the call, also where Redis loses it then', async () => {
    await suite.use({ windowMs: 200, callTimeoutMs: 1 });
    await suite.granted(call(1));
    const answered = await suite.ledger.recordAnswer('call-1', started);
    await suite.untilPast((answered?.freeAtMs ?? 0) + 40);
    await suite.ledger.snapshot();
    await suite.withSettings({ windowMs: 2_000, callTimeoutMs: 1 });
    await suite.redis.zrem(keys.calls, 'call-1');
    await suite.redis.hdel(keys.entries, 'call-1');
    assert.equal((await suite.ledger.snapshot()).isLost, true);
    await suite.ledger.open();
    assert.deepEqual(await idsInUse(), ['call-1']);
  });
});

async function waitUntilOpen(ledger: Ledger) {
  for (;;) {
    const opened = await ledger.open().catch(() => undefined);
    if (opened) return opened;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
