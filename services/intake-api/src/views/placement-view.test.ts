import assert from 'node:assert/strict';
import { describePlacement } from './placement-view.ts';

describe('why a call stands where it does', () => {
  const place = {
    priority: 'critical',
    virtualStartMs: 0,
    first: 'first',
    requests: 1,
    createdAtMs: 0,
    notAfterMs: undefined,
    flowCaller: 'analyst',
    deferredToMs: undefined,
    raisedBy: 'behind',
    isRaisedOnMachine: true,
    head: undefined,
  } as const;
  const ahead = {
    calls: 0,
    byPriority: { critical: 0, high: 0, medium: 0, low: 0 },
    bySource: [],
    otherSources: 0,
    isEstimate: false,
  };
  const describeIt = (isRaisedOnMachine: boolean) =>
    describePlacement(
      { place: { ...place, isRaisedOnMachine }, source: undefined, caller: 'analyst', ahead },
      { headStartMs: { critical: 0, high: 0, medium: 0, low: 0 }, reserveForCritical: 0 },
      'first',
    );

  it('tells a request that waits behind it on the machine from one that shares the call', () => {
    const [onMachine, shared] = [describeIt(true), describeIt(false)];
    assert.deepEqual(
      [onMachine.promotedBy, shared.promotedBy],
      [{ requestId: 'behind', isBehind: true }, { requestId: 'behind' }],
    );
    assert.ok(
      onMachine.why.includes(
        'Moved up for request behind, which waits behind it for its turn on the machine.',
      ),
    );
    assert.ok(shared.why.includes('Moved up for request behind, which shares the call.'));
  });
});
