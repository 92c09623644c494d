import assert from 'node:assert/strict';
import { startSendDeadline } from './execute-task.ts';

describe('send deadline', () => {
  const realNow = Date.now;
  const realPerformanceNow = performance.now;
  let wallMs: number;
  let monotonicMs: number;

  beforeEach(() => {
    wallMs = 1_700_000_000_000;
    monotonicMs = 12_345;
    Date.now = () => wallMs;
    performance.now = () => monotonicMs;
  });
  afterEach(() => {
    Date.now = realNow;
    performance.now = realPerformanceNow;
  });

  function pass(ms: number) {
    wallMs += ms;
    monotonicMs += ms;
  }

  it('has passed from the very end of its time on, and not before', () => {
    const deadline = startSendDeadline({ beginWithinMs: 200, permitTimeoutMs: 1_000 });
    assert.equal(deadline.mayStillSend(), true);
    pass(999);
    assert.equal(deadline.mayStillSend(), true);
    pass(1);
    assert.equal(deadline.mayStillSend(), false);
    pass(1_000);
    assert.equal(deadline.mayStillSend(), false);
  });

  it('leaves less time to begin than to send: the call still has to be made and answered', () => {
    const deadline = startSendDeadline({ beginWithinMs: 200, permitTimeoutMs: 1_000 });
    pass(199);
    assert.equal(deadline.mayBegin(), true);
    pass(1);
    assert.deepEqual([deadline.mayBegin(), deadline.mayStillSend()], [false, true]);
  });

  it('is not put off by a wall clock that is set back', () => {
    const deadline = startSendDeadline({ beginWithinMs: 200, permitTimeoutMs: 1_000 });
    wallMs -= 3_600_000;
    pass(999);
    assert.equal(deadline.mayStillSend(), true);
    pass(1);
    assert.equal(deadline.mayStillSend(), false);
  });

  it('has passed when the machine slept and the monotonic clock stood still', () => {
    const deadline = startSendDeadline({ beginWithinMs: 200, permitTimeoutMs: 1_000 });
    wallMs += 1_000;
    assert.equal(deadline.mayStillSend(), false);
  });

  it('in doubt it has passed: a wall clock set forward costs a try, never a late call', () => {
    const deadline = startSendDeadline({ beginWithinMs: 200, permitTimeoutMs: 1_000 });
    wallMs += 3_600_000;
    assert.equal(deadline.mayStillSend(), false);
  });

  it('runs from its own start, whatever others do', () => {
    const first = startSendDeadline({ beginWithinMs: 200, permitTimeoutMs: 1_000 });
    pass(600);
    const second = startSendDeadline({ beginWithinMs: 200, permitTimeoutMs: 1_000 });
    pass(600);
    assert.deepEqual([first.mayStillSend(), second.mayStillSend()], [false, true]);
  });
});
