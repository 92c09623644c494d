import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { ledgerKeys } from './ledger-keys.ts';
import { call, hourMs, keySpace, started, usedOf, useLedger } from '../test-support/use-ledger.ts';

/** Granting notes when the settings were in force. */
const settings = { [ledgerKeys(keySpace).settings]: undefined };

describe('ledger: answers', () => {
  const suite = useLedger(useEmbeddedRedis());

  describe('recordAnswer', () => {
    it('frees the slot one window after the answer', async () => {
      const { spentAtMs } = await suite.granted(call(1));
      await suite.untilPast(spentAtMs + 5);
      const answer = await suite.ledger.recordAnswer('call-1', started);
      const recorded = await suite.ledger.findCall('call-1');
      assert.ok((recorded?.answeredAt ?? 0) > spentAtMs);
      assert.equal(answer?.freeAtMs, (recorded?.answeredAt ?? 0) + hourMs);
      assert.equal((await suite.ledger.snapshot()).slotsInUse[0]?.freeAtMs, answer?.freeAtMs);
    });

    it('never frees it later than one window after the call must have been given up', async () => {
      await suite.use({ callTimeoutMs: 10 });
      const { spentAtMs } = await suite.granted(call(1));
      await suite.untilPast(spentAtMs + 20);
      assert.equal((await suite.ledger.recordAnswer('call-1', started))?.freeAtMs, spentAtMs + 10 + hourMs);
    });

    it('keeps the outcome and the facts', async () => {
      const { spentAtMs } = await suite.granted(call(1));
      await suite.ledger.recordAnswer('call-1', started);
      const recorded = await suite.ledger.findCall('call-1');
      assert.deepEqual(
        { ...recorded, answeredAt: undefined },
        { ...call(1), spentAt: spentAtMs, outcome: 'started', facts: started.facts, answeredAt: undefined },
      );
    });

    it('keeps the first record: the same again, or another later, changes nothing', async () => {
      await suite.granted(call(1));
      const first = await suite.ledger.recordAnswer('call-1', started);
      const before = await suite.everything();
      assert.deepEqual(await suite.ledger.recordAnswer('call-1', started), first);
      assert.deepEqual(await suite.ledger.recordAnswer('call-1', { outcome: 'unknown', facts: {} }), first);
      assert.deepEqual(await suite.everything(), before);
    });

    it('says so when the ledger does not know the call', async () => {
      const before = await suite.everything();
      assert.equal(await suite.ledger.recordAnswer('call-1', started), undefined);
      assert.deepEqual(await suite.everything(), before);
    });

    it('leaves the intent of a later call for the same task alone', async () => {
      const turnedAway = { outcome: 'throttled', facts: {}, mayRepeat: true };
      await suite.granted(call(1));
      await suite.ledger.recordAnswer('call-1', turnedAway);
      await suite.granted(call(2, 1));
      await suite.ledger.recordAnswer('call-1', turnedAway);
      assert.equal((await suite.ledger.spend(call(3, 1))).kind, 'spent');
    });
  });

  describe('giveBack', () => {
    it('frees the slot of a call that never left, at once, and leaves no more than that it did not', async () => {
      await suite.use({ limit: 1 });
      const before = await suite.everything();
      await suite.granted(call(1));
      assert.equal(await suite.ledger.giveBack('call-1'), true);
      const { generation } = ledgerKeys(keySpace);
      const changed = { ...settings, [generation]: undefined };
      const { [`${generation}:unsent:call-1`]: unsent, ...left } = await suite.everything();
      assert.equal(unsent, '');
      assert.deepEqual({ ...left, ...changed }, { ...before, ...changed });
      assert.equal(usedOf(await suite.ledger.spend(call(2))), 1);
    });

    it('gives back nothing once the call has an outcome', async () => {
      await suite.granted(call(1));
      await suite.ledger.recordAnswer('call-1', { outcome: 'unknown', facts: {} });
      const before = await suite.everything();
      assert.equal(await suite.ledger.giveBack('call-1'), false);
      assert.deepEqual(await suite.everything(), before);
    });

    it('is believed of a call that another process took for lost, while no other call may follow', async () => {
      await suite.granted(call(1));
      await suite.granted(call(2));
      for (const id of ['call-1', 'call-2'])
        await suite.ledger.recordAnswer(id, { outcome: 'lost', facts: {} });
      assert.equal(await suite.ledger.giveBack('call-1'), true);
      await suite.ledger.allowRepeat('call-2');
      assert.equal(await suite.ledger.giveBack('call-2'), false);
      assert.equal(usedOf(await suite.ledger.spend(call(3, 1))), 2);
    });

    it('leaves a call to its maker that has an outcome, where another process finds it never begun', async () => {
      await suite.granted(call(1));
      await suite.granted(call(2));
      await suite.ledger.recordAnswer('call-1', { outcome: 'lost', facts: {} });
      for (const id of ['call-1', 'call-2']) await suite.ledger.giveBackNeverBegun(id);
      assert.deepEqual(
        (await suite.ledger.snapshot()).slotsInUse.map((slot) => slot.call?.callId),
        ['call-1'],
      );
    });

    it('gives back nothing twice, and nothing unknown', async () => {
      await suite.granted(call(1));
      await suite.ledger.giveBack('call-1');
      await suite.granted(call(2, 1));
      assert.equal(await suite.ledger.giveBack('call-1'), false);
      assert.equal(await suite.ledger.giveBack('call-7'), false);
      assert.equal((await suite.ledger.spend(call(3, 1))).kind, 'spent', 'the later call is still in flight');
    });
  });
});
