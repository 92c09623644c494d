import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createLedger } from './ledger.ts';
import { ledgerKeys } from './ledger-keys.ts';
import {
  call,
  hourMs,
  keySpace,
  settingsOf,
  started,
  usedOf,
  useLedger,
  usual,
} from '../test-support/use-ledger.ts';

const keys = ledgerKeys(keySpace);

describe('ledger: spend', () => {
  const suite = useLedger(useEmbeddedRedis());

  it('grants as many permits as the limit and says how many are in use', async () => {
    const [first, second] = [await suite.ledger.spend(call(1)), await suite.ledger.spend(call(2))];
    assert.deepEqual([first.kind, second.kind], ['granted', 'granted']);
    assert.deepEqual([usedOf(first), usedOf(second)], [1, 2]);
  });

  it('refuses the next, and returns when the first slot opens', async () => {
    const { spentAtMs } = await suite.granted(call(1));
    await suite.granted(call(2));
    const refused = await suite.ledger.spend(call(3));
    assert.equal(refused.kind, 'full');
    assert.equal(refused.by, 'quota');
    assert.equal(refused.nextSlotAtMs, spentAtMs + usual.callTimeoutMs + hourMs);
    assert.ok(refused.nowMs >= spentAtMs - 1 && refused.nowMs < spentAtMs + 5_000, 'on the clock of Redis');
  });

  it('writes nothing when it refuses', async () => {
    await suite.granted(call(1));
    await suite.granted(call(2));
    const before = await suite.everything();
    await suite.ledger.spend(call(3));
    await suite.ledger.spend(call(9, 1));
    await suite.ledger.hold('paused', hourMs);
    const held = await suite.everything();
    await suite.ledger.spend(call(4));
    assert.deepEqual(await suite.everything(), held);
    assert.deepEqual({ ...held, [keys.holds]: undefined }, { ...before, [keys.holds]: undefined });
  });

  it('grants the same permit again when it is asked again, even if full or held by then', async () => {
    const { spentAtMs } = await suite.granted(call(1));
    assert.deepEqual(await suite.ledger.spend(call(1)), {
      kind: 'granted',
      spentAtMs,
      used: 1,
      freeSinceMs: 0,
      limit: 2,
      changes: 0,
    });
    await suite.granted(call(2));
    await suite.ledger.hold('paused', hourMs);
    assert.deepEqual(await suite.ledger.spend(call(1)), {
      kind: 'granted',
      spentAtMs,
      used: 2,
      freeSinceMs: 0,
      limit: 2,
      changes: 0,
    });
  });

  it('refuses a second call for a task that has one in flight, whichever worker asks', async () => {
    await suite.granted(call(1));
    const refused = await suite.ledger.spend(call(2, 1));
    assert.equal(refused.kind, 'spent');
    assert.equal(refused.call?.callId, 'call-1');
  });

  it('allows another call for a task once the first was turned away or given back', async () => {
    await suite.granted(call(1));
    await suite.ledger.recordAnswer('call-1', { outcome: 'throttled', facts: {}, mayRepeat: true });
    await suite.granted(call(2, 1));
    await suite.ledger.giveBack('call-2');
    await suite.granted(call(3, 1));
  });

  it('grants one permit per slot when many ask at once', async () => {
    const others = await Promise.all(Array.from({ length: 4 }, () => suite.open()));
    const ledgers = others.map((other) => createLedger(other, keySpace, settingsOf({})));
    await Promise.all(ledgers.map((ledger) => ledger.open()));
    const replies = await Promise.all(
      Array.from({ length: 40 }, (_, n) => ledgers[n % ledgers.length]!.spend(call(n))),
    );
    assert.equal(replies.filter(({ kind }) => kind === 'granted').length, usual.limit);
    assert.equal(replies.filter(({ kind }) => kind === 'full').length, 40 - usual.limit);
  });

  it('grants again at the very moment the slot opens, and not a millisecond sooner', async () => {
    await suite.use({ limit: 1, windowMs: 40, callTimeoutMs: 20 });
    await suite.granted(call(1));
    const opensAtMs = (await suite.ledger.recordAnswer('call-1', started))?.freeAtMs ?? 0;
    for (;;) {
      const reply = await suite.ledger.spend(call(2));
      if (reply.kind === 'granted') {
        assert.ok(reply.spentAtMs >= opensAtMs, `${opensAtMs - reply.spentAtMs} ms too soon`);
        assert.equal(reply.freeSinceMs, opensAtMs);
        break;
      }
      assert.ok(reply.kind === 'full' && reply.nextSlotAtMs === opensAtMs);
      assert.ok(reply.nowMs < opensAtMs, `still refused ${reply.nowMs - opensAtMs} ms after it opened`);
    }
  });

  it('lets a lower limit bite: the next slot opens when enough permits have come back', async () => {
    await suite.granted(call(1));
    const second = await suite.granted(call(2));
    const refused = await (await suite.withSettings({ limit: 1 })).spend(call(3));
    assert.equal(refused.kind, 'full');
    assert.equal(refused.nextSlotAtMs, second.spentAtMs + usual.callTimeoutMs + hourMs);
  });

  it('forgets calls after 25 windows', async () => {
    await suite.use({ windowMs: 20, callTimeoutMs: 1 });
    await suite.granted(call(1));
    const first = await suite.ledger.recordAnswer('call-1', started);
    await suite.untilPast((first?.freeAtMs ?? 0) + 25 * 20);
    await suite.granted(call(2));
    assert.equal(await suite.ledger.findCall('call-1'), undefined);
  });

  it('takes an intent whose call is gone or cannot be read for none, or its task could never be called again', async () => {
    for (const broken of [undefined, 'no JSON', 'null', '{"outcome":"in_flight"}']) {
      await suite.use({});
      const owner = await suite.withSettings();
      assert.equal((await owner.spend(call(1))).kind, 'granted');
      if (broken === undefined) await suite.redis.hdel(keys.entries, 'call-1');
      else await suite.redis.hset(keys.entries, 'call-1', broken);
      await suite.granted(call(2, 1));
      assert.equal(await suite.redis.hget(keys.intents, 'task-1'), 'call-2');
      const { slotsInUse } = await suite.ledger.snapshot();
      assert.deepEqual(
        slotsInUse.map((slot) => slot.call?.callId),
        [undefined, 'call-2'],
        'its permit stays out: it may have been used',
      );
    }
  });

  it('is repaired by the process that made the call whose record cannot be read', async () => {
    await suite.granted(call(1));
    await suite.redis.hset(keys.entries, 'call-1', 'no JSON');
    assert.equal((await suite.ledger.snapshot()).isLost, true);
    assert.equal((await suite.ledger.spend(call(2, 1))).kind, 'lost');
    await suite.ledger.open();
    assert.equal((await suite.ledger.spend(call(2, 1))).kind, 'spent');
    assert.equal((await suite.ledger.snapshot()).isLost, false);
  });
});
