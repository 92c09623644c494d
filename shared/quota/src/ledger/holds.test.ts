import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { call, hourMs, started, useLedger } from '../test-support/use-ledger.ts';

describe('ledger: holds', () => {
  const suite = useLedger(useEmbeddedRedis());

  it('forbid every call until they end, and give the reason', async () => {
    const { untilMs, nowMs } = await suite.ledger.hold('throttled', 60);
    assert.equal(untilMs, nowMs + 60);
    const refused = await suite.ledger.spend(call(1));
    assert.ok(refused.kind === 'held' && refused.untilMs === untilMs && refused.reason === 'throttled');
    await suite.untilPast(untilMs);
    assert.equal((await suite.ledger.spend(call(1))).kind, 'granted');
  });

  it('end with the longest for a reason: a shorter one later changes nothing', async () => {
    const { untilMs } = await suite.ledger.hold('throttled', hourMs);
    assert.equal((await suite.ledger.hold('throttled', 1_000)).untilMs, untilMs);
    assert.ok((await suite.ledger.hold('throttled', 2 * hourMs)).untilMs > untilMs);
  });

  it('stand side by side: the end that comes last counts, with its reason', async () => {
    await suite.ledger.hold('throttled', 1_000);
    const last = await suite.ledger.hold('paused', hourMs);
    await suite.ledger.hold('unreachable', 2_000);
    const refused = await suite.ledger.spend(call(1));
    assert.ok(refused.kind === 'held' && refused.untilMs === last.untilMs && refused.reason === 'paused');
    const view = await suite.ledger.snapshot();
    assert.deepEqual(view.hold, { reason: 'paused', untilMs: last.untilMs });
    assert.deepEqual(view.holdsOn.toSorted(), ['paused', 'throttled', 'unreachable']);
  });

  it('that grow double with each one in a row, up to the longest', async () => {
    const length = { firstMs: 2, longestMs: 10 };
    assert.deepEqual(await lengthsInARow(5, length), [2, 4, 8, 10, 10]);
  });

  it('that grow leave one that is on as it is: failures at the same time count as one', async () => {
    const length = { firstMs: hourMs, longestMs: 10 * hourMs };
    const { untilMs } = await suite.ledger.holdGrowing('unreachable', length);
    for (let i = 0; i < 4; i += 1) {
      assert.equal((await suite.ledger.holdGrowing('unreachable', length)).untilMs, untilMs);
    }
  });

  it('that grow begin anew once something was answered', async () => {
    const length = { firstMs: 2, longestMs: 100 };
    assert.deepEqual(await lengthsInARow(3, length), [2, 4, 8]);
    await suite.granted(call(1));
    await suite.ledger.recordAnswer('call-1', { ...started, shows: 'good' });
    assert.deepEqual(await lengthsInARow(2, length), [2, 4]);
  });

  it('that grow do so for each reason by itself', async () => {
    const length = { firstMs: 2, longestMs: 100 };
    assert.deepEqual(await lengthsInARow(3, length), [2, 4, 8]);
    const { untilMs, nowMs } = await suite.ledger.holdGrowing('no_token', length);
    assert.equal(untilMs - nowMs, 2);
  });

  async function lengthsInARow(count: number, length: { firstMs: number; longestMs: number }) {
    const lengths: number[] = [];
    for (let i = 0; i < count; i += 1) {
      const { untilMs, nowMs } = await suite.ledger.holdGrowing('unreachable', length);
      lengths.push(untilMs - nowMs);
      await suite.untilPast(untilMs);
    }
    return lengths;
  }
});
