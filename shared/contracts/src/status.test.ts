import assert from 'node:assert/strict';
import { allowedMoves, isTerminal, requestStatuses } from './status.ts';

describe('request status', () => {
  it('moves in the documented ways and in no other', () => {
    const moves = requestStatuses.flatMap((from) => allowedMoves[from].map((to) => `${from} → ${to}`));
    assert.deepEqual(moves.toSorted(), [
      'dispatching → failed',
      'dispatching → queued',
      'dispatching → started',
      'dispatching → unknown',
      'queued → cancelled',
      'queued → dispatching',
      'queued → expired',
      'queued → failed',
      'queued → started',
    ]);
  });

  for (const status of ['started', 'failed', 'unknown', 'cancelled', 'expired'] as const) {
    it(`is settled for ever once it is ${status}`, () => {
      assert.deepEqual(allowedMoves[status], []);
      assert.equal(isTerminal(status), true);
    });
  }

  for (const status of ['queued', 'dispatching'] as const) {
    it(`is not settled while it is ${status}`, () => assert.equal(isTerminal(status), false));
  }

  it('reaches every status from queued', () => {
    const reached = new Set<string>(['queued']);
    for (const status of reached) {
      for (const next of allowedMoves[status as (typeof requestStatuses)[number]]) reached.add(next);
    }
    assert.deepEqual([...reached].toSorted(), [...requestStatuses].toSorted());
  });
});
