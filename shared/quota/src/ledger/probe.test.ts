import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { call, started, useLedger } from '../test-support/use-ledger.ts';

const short = { firstMs: 1, longestMs: 1 };

describe('ledger: a path in doubt', () => {
  const suite = useLedger(useEmbeddedRedis());
  beforeEach('leave slots free', () => suite.use({ limit: 50, callTimeoutMs: 60 }));

  async function holdThatEnded(reason: 'not_allowed' | 'no_token' = 'not_allowed') {
    const { untilMs } = await suite.ledger.holdGrowing(reason, short);
    await suite.untilPast(untilMs);
  }

  it('is tried by one call at a time, however many slots are free and whichever worker asks', async () => {
    await suite.use({ limit: 50 });
    await holdThatEnded();
    const others = await Promise.all(Array.from({ length: 5 }, () => suite.withSettings({ limit: 50 })));
    const workers = [suite.ledger, ...others];
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, i) => workers[i % workers.length]!.spend(call(i))),
    );
    const kinds = replies.map(({ kind }) => kind).toSorted();
    assert.deepEqual(kinds, ['granted', ...Array.from({ length: 29 }, () => 'probing')]);
    const { probedUntilMs = 0, nowMs } = await suite.ledger.snapshot();
    assert.ok(probedUntilMs > nowMs);
  });

  it('is tried by one call also while calls of before the hold are in flight', async () => {
    await suite.granted(call(1));
    await holdThatEnded();
    assert.equal((await suite.ledger.spend(call(2))).kind, 'probing');
    await suite.ledger.recordAnswer('call-1', { outcome: 'timeout', facts: {} });
    assert.equal((await suite.ledger.spend(call(2))).kind, 'granted');
    assert.equal((await suite.ledger.spend(call(3))).kind, 'probing');
  });

  it('is as good as before once a call is answered well', async () => {
    await holdThatEnded();
    await suite.granted(call(1));
    assert.equal((await suite.ledger.snapshot()).isEndUnknown, true);
    await suite.ledger.recordAnswer('call-1', { ...started, shows: 'good' });
    for (const n of [2, 3, 4]) await suite.granted(call(n));
    const { probedUntilMs, isEndUnknown } = await suite.ledger.snapshot();
    assert.deepEqual([probedUntilMs, isEndUnknown], [undefined, undefined]);
  });

  it('is tried by another call when the first one was never sent', async () => {
    await holdThatEnded();
    await suite.granted(call(1));
    await suite.ledger.giveBack('call-1');
    await suite.granted(call(2));
  });

  it('is not blocked for ever by a process that died with its call: after the call timeout another tries', async () => {
    await holdThatEnded();
    await suite.granted(call(1));
    const refused = await suite.ledger.spend(call(2));
    assert.ok(refused.kind === 'probing');
    await suite.untilPast(refused.untilMs);
    await suite.granted(call(2));
    assert.equal((await suite.ledger.spend(call(3))).kind, 'probing');
  });

  it('is not in doubt for lack of a token: a worker that spends has one', async () => {
    await holdThatEnded('no_token');
    for (const n of [1, 2, 3]) await suite.granted(call(n));
  });

  it('stays in doubt through holds whose length was given, and through none of an operator', async () => {
    const { untilMs } = await suite.ledger.hold('throttled', 1);
    await suite.untilPast(untilMs);
    await suite.granted(call(1));
    assert.equal((await suite.ledger.spend(call(2))).kind, 'probing');
    await suite.ledger.recordAnswer('call-1', { ...started, shows: 'good' });
    const paused = await suite.ledger.hold('paused', 1);
    await suite.untilPast(paused.untilMs);
    for (const n of [2, 3]) await suite.granted(call(n));
  });

  it('shows the obstacle behind a hold, and that the length of the hold is not known', async () => {
    const met = { httpStatus: 404, code: 'NotFound' };
    const { untilMs } = await suite.ledger.holdGrowing(
      'endpoint_unusable',
      { firstMs: 60_000, longestMs: 60_000 },
      met,
    );
    const view = await suite.ledger.snapshot();
    assert.deepEqual(view.hold, { reason: 'endpoint_unusable', untilMs, isOpen: true, ...met });
    assert.equal(view.isEndUnknown, true);
  });
});
