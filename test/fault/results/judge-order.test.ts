import assert from 'node:assert/strict';
import type { ShownRequest } from './asked.ts';
import { judgeOrder } from './judge-order.ts';

/** Requests on one machine, each accepted behind the one before. */
const asked = ['one', 'two', 'three'].map((comment, i) => ({
  id: `r-${comment}`,
  operation: i % 2 === 0 ? 'isolate' : 'unisolate',
  family: 'isolation',
  machineId: 'm1',
  comment,
  postedAtMs: 10 * i,
  acknowledgedAtMs: 10 * i + 5,
}));
const action = (comment: string) => ({
  id: `a-${comment}`,
  type: 'Isolate',
  comment: `${comment} [diq:x]`,
  acceptedAt: '',
  endedAt: null,
});
const on = { machineId: 'm1', family: 'isolation' };

function rulesOf(
  comments: readonly string[],
  overtakings: readonly (readonly [string, string])[] = [],
  shown: ReadonlyMap<string, ShownRequest> = new Map(),
) {
  const judgement = {
    sequences: [{ ...on, actions: comments.map(action) }],
    overtakings: overtakings.map(([first, second]) => ({
      ...on,
      first: action(first),
      second: action(second),
    })),
  };
  const { violations, behindUnknown } = judgeOrder({ asked, shown, judgement });
  return [violations.map(({ rule }) => rule), behindUnknown];
}
const request = (id: string, status: string, resultId?: string): [string, ShownRequest] => {
  const result = {
    kind: 'machineAction',
    id: resultId ?? '',
    outcome: 'running',
    attached: true,
    reason: '',
  };
  return [
    id,
    { id, machineId: 'm1', status, coalescedWith: undefined, result: resultId ? result : undefined },
  ];
};

describe('the judge of contrary actions', () => {
  it('finds nothing where each was made in its turn', () => {
    assert.deepEqual(rulesOf(['one', 'two', 'three']), [[], 0]);
    assert.deepEqual(rulesOf(['one', 'three']), [[], 0]);
  });

  it('finds one that was called before another that was accepted before it', () => {
    assert.deepEqual(rulesOf(['two', 'one', 'three']), [['order'], 0]);
  });

  it('finds one that was called before the end of the one before, its own or another one’s to which it was attached', () => {
    assert.deepEqual(rulesOf(['one', 'two'], [['one', 'two']]), [['overtaken'], 0]);
    const attached = new Map([request('r-one', 'started', 'a-analyst')]);
    assert.deepEqual(rulesOf(['two'], [['analyst', 'two']], attached), [['overtaken'], 0]);
  });

  it('lets others act as they like, and counts what went behind an outcome that could not be found out', () => {
    assert.deepEqual(rulesOf(['one'], [['one', 'analyst']]), [[], 0]);
    assert.deepEqual(rulesOf(['one'], [['analyst', 'one']]), [[], 0]);
    assert.deepEqual(rulesOf(['one', 'two'], [['one', 'two']], new Map([request('r-one', 'unknown')])), [
      [],
      1,
    ]);
  });

  it('does not say who of two that were posted together came first', () => {
    const together = asked.map((one) => ({ ...one, postedAtMs: 0 }));
    const judgement = { sequences: [{ ...on, actions: ['two', 'one'].map(action) }], overtakings: [] };
    assert.deepEqual(judgeOrder({ asked: together, shown: new Map(), judgement }).violations, []);
  });
});
