import assert from 'node:assert/strict';
import { createMoveLog } from './transition-log.ts';

describe('the lines of requests that a call moves', () => {
  it('tell its outcome, once and only theirs', () => {
    const told: unknown[] = [];
    const log = createMoveLog({ moved: (move) => told.push(move) });
    const begun = { requestIds: ['1'], from: 'queued', status: 'dispatching', callId: 'a' } as const;
    const settled = { requestIds: ['1'], from: 'dispatching', status: 'started', callId: 'a' } as const;
    const expired = { requestIds: ['2'], from: 'queued', status: 'expired' } as const;
    log.moved(begun);
    log.callEnded('a', 'started');
    log.moved(expired);
    log.moved(settled);
    log.moved(settled);
    assert.deepEqual(told, [begun, expired, { ...settled, outcome: 'started' }, settled]);
  });

  it('do not keep outcomes that nothing came of', () => {
    const told: { callId?: string; outcome?: string }[] = [];
    const log = createMoveLog({ moved: (move) => told.push(move) });
    for (let i = 0; i <= 1_000; i++) log.callEnded(`call-${i}`, 'timeout');
    for (const callId of ['call-0', 'call-1']) {
      log.moved({ requestIds: ['1'], from: 'dispatching', status: 'dispatching', callId });
    }
    assert.deepEqual(
      told.map(({ outcome }) => outcome),
      [undefined, 'timeout'],
    );
  });
});
