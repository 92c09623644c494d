import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { ledgerKeys } from './ledger-keys.ts';
import { call, hourMs, keySpace, limitOf, started, usedOf, useLedger } from '../test-support/use-ledger.ts';

const keys = ledgerKeys(keySpace);

describe('ledger: snapshot', () => {
  const suite = useLedger(useEmbeddedRedis());

  it('sees an empty ledger as all free', async () => {
    const { nowMs, workers, ...view } = await suite.ledger.snapshot();
    assert.deepEqual(view, {
      limits: [{ calls: 2, quotaCalls: 2, windowMs: hourMs, used: 0 }],
      slotsInUse: [],
      hold: undefined,
      holdsOn: [],
      isLost: false,
    });
    assert.equal(workers?.alive, 1);
    assert.ok(Math.abs(nowMs - Date.now()) < 5_000, 'milliseconds since 1970');
  });

  it('shows the calls whose permits are in use, in the order in which they come back', async () => {
    await suite.granted(call(1));
    await suite.granted(call(2));
    await suite.ledger.recordAnswer('call-2', started);
    const { slotsInUse } = await suite.ledger.snapshot();
    assert.deepEqual(
      slotsInUse.map((slot) => [slot.call?.callId, slot.call?.machineId, slot.call?.outcome]),
      [
        ['call-2', 'machine-2', 'started'],
        ['call-1', 'machine-1', 'in_flight'],
      ],
    );
    assert.ok(slotsInUse[0]!.freeAtMs < slotsInUse[1]!.freeAtMs);
  });

  it('shows neither permits that are back nor holds that are over', async () => {
    await suite.use({ windowMs: 1, callTimeoutMs: 1 });
    await suite.granted(call(1));
    const { untilMs } = await suite.ledger.hold('paused', 5);
    await suite.untilPast(untilMs);
    const view = await suite.ledger.snapshot();
    assert.deepEqual([view.slotsInUse, view.hold, view.holdsOn], [[], undefined, []]);
  });

  it('counts a permit whose record is gone', async () => {
    await suite.granted(call(1));
    await suite.redis.hdel(keys.entries, 'call-1');
    const { slotsInUse } = await suite.ledger.snapshot();
    assert.equal(slotsInUse.length, 1);
    assert.equal(slotsInUse[0]?.call, undefined);
  });

  it('goes by the quota that the workers wrote, not by the settings of the reader', async () => {
    await suite.use({ limit: 7, windowMs: 1_000 });
    for (const other of [
      { limit: 99, windowMs: 99 },
      { limit: 1, windowMs: 99_999 },
    ]) {
      const view = await suite.unopened(other).snapshot();
      assert.deepEqual([limitOf(view).limit, limitOf(view).windowMs], [7, 1_000]);
    }
  });

  it('works on after SCRIPT FLUSH', async () => {
    await suite.granted(call(1));
    await suite.redis.script('FLUSH');
    assert.equal(usedOf(await suite.ledger.spend(call(2))), 2);
    assert.ok(await suite.ledger.recordAnswer('call-1', started));
    assert.equal(await suite.ledger.giveBack('call-2'), true);
  });

  it('rejects every question when Redis cannot be asked, so that no call is made', async () => {
    suite.connection.disconnect();
    const questions = [
      () => suite.ledger.spend(call(1)),
      () => suite.ledger.recordAnswer('call-1', started),
      () => suite.ledger.giveBack('call-1'),
      () => suite.ledger.hold('paused', 1),
      () => suite.ledger.holdGrowing('paused', { firstMs: 1, longestMs: 1 }),
      () => suite.ledger.wasRefused('task-1'),
      () => suite.ledger.asideOver(),
      () => suite.ledger.isAside('task-1'),
      () => suite.ledger.forgetAside(['task-1']),
      () => suite.ledger.snapshot(),
      () => suite.ledger.leave(),
      () => suite.ledger.findCall('call-1'),
      () => suite.ledger.open(),
      () => suite.ledger.rebuild([]),
      () => suite.ledger.endColdStart(),
    ];
    for (const ask of questions) await assert.rejects(ask);
  });
});
