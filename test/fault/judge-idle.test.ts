import assert from 'node:assert/strict';
import { judgeIdle, meetWithinMs } from './judge-idle.ts';
import type { PastFault } from './judge-idle.ts';

const fault = (fromMs: number, toMs: number, recoveryMs = meetWithinMs): PastFault => ({
  name: 'some-fault',
  fromMs,
  toMs,
  recoveryMs,
});
const reports = (fromMs: number, toMs: number, ...faults: PastFault[]) =>
  judgeIdle({ idle: [{ fromMs, toMs }], faults });

describe('the judge of unused slots', () => {
  it('allows a slot and work as long as they need to meet, and not a millisecond more', () => {
    assert.deepEqual(reports(0, meetWithinMs), []);
    assert.equal(reports(0, meetWithinMs + 1).length, 1);
  });

  it('says how long, and after which fault', () => {
    const [text = ''] = reports(12_000, 20_000, fault(0, 1_000), fault(5_000, 11_000, 0));
    assert.match(text, /8000 ms/);
    assert.match(text, /1000 ms after some-fault/);
  });

  it('looks away while a fault is on, and at what is left before and after it', () => {
    assert.deepEqual(reports(0, 60_000, fault(0, 60_000)), []);
    assert.deepEqual(reports(0, 60_000, fault(4_000, 56_000)), []);
    assert.equal(reports(0, 60_000, fault(6_000, 56_000)).length, 1);
    assert.equal(reports(0, 60_000, fault(4_000, 54_000)).length, 1);
  });

  it('gives each fault its time to recover, counted from its end', () => {
    const restart = fault(0, 10_000, 30_000);
    assert.deepEqual(reports(0, 40_000, restart), []);
    assert.equal(reports(0, 40_001, restart).length, 1);
    assert.deepEqual(reports(30_000, 40_000, restart), []);
    assert.equal(reports(39_000, 44_001, restart).length, 1, 'what begins late has no more than usual');
  });

  it('lets no fault excuse what was before it', () => {
    assert.equal(reports(0, 20_000, fault(10_000, 20_000, 60_000)).length, 1);
  });
});
