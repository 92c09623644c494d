import assert from 'node:assert/strict';
import { createMoveLog } from './transition-log.ts';

describe('the lines of requests that a call moves', () => {
  it('show its outcome, once and only theirs', () => {
    const events: unknown[] = [];
    const log = createMoveLog({ moved: (move) => events.push(move) });
    const begun = { requestIds: ['1'], from: 'queued', status: 'dispatching', callId: 'a' } as const;
    const settled = { requestIds: ['1'], from: 'dispatching', status: 'started', callId: 'a' } as const;
    const expired = { requestIds: ['2'], from: 'queued', status: 'expired' } as const;
    log.moved(begun);
    log.callEnded('a', 'started');
    log.moved(expired);
    log.moved(settled);
    log.moved(settled);
    assert.deepEqual(events, [begun, expired, { ...settled, outcome: 'started' }, settled]);
  });

  it('do not keep outcomes that nothing came of', () => {
    const events: { callId?: string; outcome?: string }[] = [];
    const log = createMoveLog({ moved: (move) => events.push(move) });
    for (let i = 0; i <= 1_000; i++) log.callEnded(`call-${i}`, 'timeout');
    for (const callId of ['call-0', 'call-1']) {
      log.moved({ requestIds: ['1'], from: 'dispatching', status: 'dispatching', callId });
    }
    assert.deepEqual(
      events.map(({ outcome }) => outcome),
      [undefined, 'timeout'],
    );
  });
});
