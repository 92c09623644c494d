import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createLedger, type KnownStart } from './ledger.ts';
import { ledgerKeys } from './ledger-keys.ts';
import { call, hourMs, keySpace, settingsOf, started, usual, useLedger } from '../test-support/use-ledger.ts';

const keys = ledgerKeys(keySpace);
const holdMs = usual.windowMs + usual.callTimeoutMs;

describe('ledger: memory', () => {
  const suite = useLedger(useEmbeddedRedis());
  const flush = () => suite.redis.flushall();
  const idsInUse = async () => (await suite.ledger.snapshot()).slotsInUse.map((slot) => slot.call?.callId);
  const startAt = (n: number, startedAtMs: number): KnownStart => ({
    callId: `investigation-${n}`,
    machineId: `machine-${n}`,
    startedAtMs,
    countsFromMs: startedAtMs + 1_000,
    facts: { investigationId: `${n}` },
  });

  it('of a ledger that was not opened is none: nothing is granted or written', async () => {
    const before = await suite.everything();
    assert.equal((await suite.unopened().spend(call(1))).kind, 'lost');
    assert.deepEqual(await suite.everything(), before);
  });

  it('begins with a hold of one window and one call timeout, which all who open share', async () => {
    await flush();
    const [one, other] = [suite.unopened(), createLedger(await suite.open(), keySpace, settingsOf({}))];
    const created = await one.open();
    assert.equal(created.kind, 'created');
    const untilMs = created.coldStart?.untilMs ?? 0;
    assert.ok(untilMs >= created.nowMs + holdMs && untilMs <= created.nowMs + holdMs + 1);
    const joined = await other.open();
    assert.deepEqual(joined, {
      kind: 'joined',
      nowMs: joined.nowMs,
      coldStart: { untilMs, mayBeRebuilt: true },
      handoverUntilMs: undefined,
      restored: [],
    });
    for (const ledger of [one, other]) {
      const refused = await ledger.spend(call(1));
      assert.ok(refused.kind === 'held' && refused.reason === 'cold_start' && refused.untilMs === untilMs);
    }
    assert.deepEqual((await one.snapshot()).hold, { reason: 'cold_start', untilMs });
  });

  describe('that was emptied while calls were made', () => {
    it('is noticed by all workers, and nothing is granted until it is opened again', async () => {
      const other = await suite.withSettings();
      await suite.granted(call(1));
      await flush();
      for (const ledger of [suite.ledger, other]) {
        assert.equal((await ledger.spend(call(2))).kind, 'lost');
        assert.equal((await ledger.snapshot()).isLost, true);
      }
      assert.deepEqual(await suite.everything(), {});
    });

    it('holds all workers until one window and one call timeout are over, not a moment less', async () => {
      await suite.use({ windowMs: 60, callTimeoutMs: 20 });
      await suite.granted(call(1));
      await flush();
      const { nowMs, coldStart } = await suite.ledger.open();
      assert.ok((coldStart?.untilMs ?? 0) >= nowMs + 80);
      for (;;) {
        const reply = await suite.ledger.spend(call(2));
        if (reply.kind === 'granted') {
          assert.ok(reply.spentAtMs >= nowMs + 80, `${nowMs + 80 - reply.spentAtMs} ms too soon`);
          break;
        }
        assert.ok(reply.kind === 'held' && reply.reason === 'cold_start');
      }
    });

    it('gets back from each worker the calls of that worker, with outcome, until when it counts and its intent', async () => {
      const other = await suite.withSettings();
      await suite.granted(call(1));
      await suite.ledger.recordAnswer('call-1', started);
      assert.equal((await other.spend(call(2))).kind, 'granted');
      const { slotsInUse } = await suite.unopened().snapshot();
      await flush();
      await suite.ledger.open();
      assert.deepEqual(await idsInUse(), ['call-1']);
      assert.equal((await other.open()).kind, 'joined');
      assert.deepEqual((await suite.ledger.snapshot()).slotsInUse, slotsInUse);
      assert.equal((await suite.ledger.spend(call(3, 2))).kind, 'spent');
    });

    it('keeps the whole hold even if another worker has already ended it by a rebuild', async () => {
      const newcomer = suite.unopened();
      await flush();
      const { coldStart } = await newcomer.open();
      assert.equal(await newcomer.rebuild([]), 'ended');
      const rejoined = await suite.ledger.open();
      assert.deepEqual(rejoined.coldStart, { untilMs: coldStart?.untilMs, mayBeRebuilt: false });
      assert.equal((await newcomer.spend(call(1))).kind, 'held');
      assert.equal(await newcomer.rebuild([]), 'kept');
    });

    it('learns an answer that came while it was gone', async () => {
      await suite.granted(call(1));
      await flush();
      assert.equal(await suite.ledger.recordAnswer('call-1', started), undefined);
      await suite.ledger.open();
      const found = await suite.ledger.findCall('call-1');
      assert.deepEqual([found?.outcome, found?.facts], ['started', started.facts]);
      const [slot] = (await suite.ledger.snapshot()).slotsInUse;
      assert.equal(slot?.freeAtMs, (found?.answeredAt ?? 0) + hourMs);
    });

    it('does not get back a call that was never sent', async () => {
      await suite.granted(call(1));
      await flush();
      await suite.ledger.giveBack('call-1');
      await suite.ledger.open();
      assert.deepEqual(await idsInUse(), []);
    });
  });

  describe('that has holes', () => {
    const forget = async (callId: string) => {
      await suite.redis.zrem(keys.calls, callId);
      await suite.redis.hdel(keys.entries, callId);
      await suite.redis.hdel(keys.intents, callId.replace('call', 'task'));
    };

    it('is completed by the worker that made the calls before anything more is granted', async () => {
      await suite.granted(call(1));
      await suite.granted(call(2));
      await forget('call-1');
      await forget('call-2');
      assert.equal((await suite.ledger.spend(call(3))).kind, 'lost');
      await suite.ledger.open();
      assert.equal((await suite.ledger.spend(call(3))).kind, 'held');
      assert.equal((await suite.ledger.spend(call(4, 1))).kind, 'spent', 'its intent is known again');
      assert.deepEqual(await idsInUse(), ['call-1', 'call-2']);
    });

    it('shows them to the worker that made the calls, and is completed by opening it, with no hold of a whole window', async () => {
      await suite.granted(call(1));
      await forget('call-1');
      assert.equal((await suite.ledger.snapshot()).isLost, true);
      const { kind, coldStart, restored } = await suite.ledger.open();
      assert.deepEqual(
        [kind, coldStart, restored.map(({ callId }) => callId)],
        ['joined', undefined, ['call-1']],
      );
      const { isLost, holdsOn } = await suite.ledger.snapshot();
      assert.deepEqual([isLost, holdsOn], [false, ['failover']]);
      assert.deepEqual(await idsInUse(), ['call-1']);
    });

    it('takes an answer to a call it had forgotten', async () => {
      await suite.granted(call(1));
      await forget('call-1');
      assert.ok(await suite.ledger.recordAnswer('call-1', started));
      assert.equal((await suite.ledger.findCall('call-1'))?.outcome, 'started');
    });

    it('is left as it is where it knows more', async () => {
      const other = await suite.withSettings();
      await suite.granted(call(1));
      await other.recordAnswer('call-1', { outcome: 'lost', facts: {} });
      const known = await suite.ledger.findCall('call-1');
      await suite.granted(call(2));
      assert.deepEqual(await suite.ledger.findCall('call-1'), known);
    });

    it('receives no calls that no window holds any more', async () => {
      await suite.use({ windowMs: 5, callTimeoutMs: 1 });
      await suite.granted(call(1));
      const { nowMs } = await suite.ledger.snapshot();
      await suite.untilPast(nowMs + 20);
      await suite.ledger.snapshot();
      await forget('call-1');
      await suite.granted(call(2));
      assert.equal(await suite.ledger.findCall('call-1'), undefined);
    });
  });

  describe('rebuilt from the list of Defender', () => {
    it('ends the hold, and counts each start from the given time', async () => {
      await flush();
      const { nowMs } = await suite.ledger.open().then(() => suite.unopened().snapshot());
      await flush();
      const ledger = suite.unopened();
      await ledger.open();
      assert.equal(await ledger.rebuild([startAt(1, nowMs - 60_000), startAt(2, nowMs)]), 'ended');
      const view = await ledger.snapshot();
      assert.equal(view.hold, undefined);
      assert.deepEqual(
        view.slotsInUse.map((slot) => [slot.call?.machineId, slot.call?.outcome, slot.freeAtMs]),
        [
          ['machine-1', 'started', nowMs - 59_000 + hourMs],
          ['machine-2', 'started', nowMs + 1_000 + hourMs],
        ],
      );
      assert.equal((await ledger.spend(call(1))).kind, 'full');
    });

    it('is rebuilt once: a second worker adds nothing, or calls made since would count twice', async () => {
      await flush();
      const [one, other] = [suite.unopened(), suite.unopened()];
      await one.open();
      await other.open();
      await one.rebuild([]);
      assert.equal(await other.rebuild([startAt(1, Date.now())]), 'over');
      assert.deepEqual((await one.snapshot()).slotsInUse, []);
    });

    it('is refused for a ledger that the caller does not know, and where a living worker saw its ledger vanish', async () => {
      assert.equal(await suite.unopened().rebuild([]), 'lost');
      await flush();
      assert.equal((await suite.ledger.open()).coldStart?.mayBeRebuilt, false);
      assert.equal(await suite.ledger.rebuild([]), 'kept');
      assert.equal((await suite.ledger.snapshot()).hold?.reason, 'cold_start');
    });

    it('records a failure with its cause, from a worker that knows the ledger, while the hold is on and no longer', async () => {
      const failure = { cause: 'not_allowed' as const, httpStatus: 403 };
      await suite.ledger.noteRebuildFailure(failure);
      assert.equal((await suite.ledger.snapshot()).hold, undefined, 'no hold begins by it');
      await flush();
      const [ledger, later] = [suite.unopened(), suite.unopened()];
      await ledger.open();
      // Its ledger is another one, and gone.
      await suite.ledger.noteRebuildFailure(failure);
      assert.equal((await ledger.snapshot()).hold?.cause, undefined);
      await ledger.noteRebuildFailure(failure);
      const { hold, holdsOn } = await later.snapshot();
      assert.deepEqual(
        [hold?.cause, hold?.httpStatus, holdsOn],
        ['not_allowed', 403, ['cold_start', 'not_allowed']],
      );
      await ledger.rebuild([]);
      assert.equal(await suite.redis.hexists(`${keys.holds}:details`, 'cold_start'), 0);
    });

    it('drops the recorded failure where only time can end the hold', async () => {
      await flush();
      const newcomer = suite.unopened();
      await newcomer.open();
      await newcomer.noteRebuildFailure({ cause: 'unreachable' });
      await suite.ledger.open();
      const { hold } = await suite.ledger.snapshot();
      assert.deepEqual([hold?.reason, hold?.cause], ['cold_start', undefined]);
    });

    it('leaves other holds on', async () => {
      await flush();
      const ledger = suite.unopened();
      await ledger.open();
      await ledger.hold('paused', hourMs);
      await ledger.rebuild([]);
      assert.deepEqual((await ledger.snapshot()).holdsOn, ['paused']);
    });
  });

  it('is declared empty by the operator, whatever set the hold', async () => {
    await flush();
    await suite.ledger.open();
    assert.equal(await suite.ledger.endColdStart(), 'ended');
    await suite.granted(call(1));
  });
});
