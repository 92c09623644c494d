import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import type { UnresolvedOutcome } from '@diq/queue/tasks/task-store.ts';
import {
  firstQueryInMs,
  maxCalls,
  nextStep,
  type Query,
  type ReconcileRules,
  type Step,
} from './resolution-policy.ts';
import type { Finding } from './finding.ts';

const unresolvedSinceMs = 5_000_000;
const minuteMs = 60_000;
const graceMs = 10 * minuteMs;
const rules: ReconcileRules = { graceMs, onUnknown: 'fail' };
const error = { code: 'call_timeout', message: 'No answer.', defenderTarget: 'target-1' };
const nothing: Finding = { kind: 'nothing' };
const ownUnlinked: Finding = { kind: 'own', id: undefined, alertId: 'da1' };
const own: Finding = { ...ownUnlinked, id: '7' };
const covering: Finding = { kind: 'covering', id: '9', alertId: 'da9' };

interface At {
  afterMs: number;
  finding: Finding | undefined;
  cause?: UnresolvedOutcome['cause'];
  calls?: number;
  retryAfterMs?: number;
  onUnknown?: 'fail' | 'retry';
}

function step({ afterMs, finding, cause = 'lost', calls = 1, retryAfterMs, onUnknown = 'fail' }: At): Step {
  const query: Query = {
    unresolved: { cause, error },
    calls,
    unresolvedSinceMs,
    nowMs: unresolvedSinceMs + afterMs,
    finding,
    retryAfterMs,
  };
  return nextStep(query, { ...rules, onUnknown }, initiateInvestigation);
}

function settlement(at: At) {
  const taken = step(at);
  assert.ok(taken.kind === 'settle', JSON.stringify(taken));
  return { outcome: taken.outcome, ...taken.settlement };
}

function waitMs(at: At): number {
  const taken = step(at);
  assert.ok(taken.kind === 'reschedule_query', JSON.stringify(taken));
  return taken.atMs - unresolvedSinceMs - at.afterMs;
}

describe('what follows from a look in Defender', () => {
  it('is the end as soon as our own investigation shows', () => {
    assert.deepEqual(settlement({ afterMs: 1, finding: own }), {
      outcome: 'found',
      status: 'started',
      result: { kind: 'investigation', id: '7' },
      attempts: 0,
    });
  });

  it('is another look while ours has no id yet, and in the end its alert, by which Defender finds it too', () => {
    assert.equal(step({ afterMs: minuteMs, finding: ownUnlinked }).kind, 'reschedule_query');
    const { outcome, result } = settlement({ afterMs: graceMs, finding: ownUnlinked });
    assert.deepEqual([outcome, result?.id], ['found', 'da1']);
  });

  it('is another query while only that of another actor shows: ours may be about to, and has the better claim', () => {
    assert.equal(step({ afterMs: graceMs - 1, finding: covering }).kind, 'reschedule_query');
    assert.deepEqual(settlement({ afterMs: graceMs, finding: covering }), {
      outcome: 'attached',
      status: 'started',
      result: { kind: 'investigation', id: '9' },
      attached: true,
      attempts: 0,
    });
  });

  it('is the investigation that runs, at once, where the call was refused because of it', () => {
    assert.equal(settlement({ afterMs: 1, finding: covering, cause: 'running' }).outcome, 'attached');
    assert.equal(step({ afterMs: graceMs - 1, finding: nothing, cause: 'running' }).kind, 'reschedule_query');
    const { status, error: reported } = settlement({ afterMs: graceMs, finding: nothing, cause: 'running' });
    assert.deepEqual([status, reported?.code], ['failed', 'call_timeout']);
  });

  describe('without a trace at the end of the grace', () => {
    it('is unknown after a lost answer, with its code, what was done, and the tracking id', () => {
      const { outcome, status, error: reported } = settlement({ afterMs: graceMs, finding: nothing });
      assert.deepEqual([outcome, status], ['unknown', 'unknown']);
      assert.deepEqual(reported, {
        ...error,
        message: 'No answer. Defender shows no investigation of it. It was called once.',
      });
    });

    it('is another call after an answered error, however often that was met by all calls', () => {
      for (const calls of [1, maxCalls, 100]) {
        assert.deepEqual(step({ afterMs: graceMs, finding: nothing, cause: 'failed', calls }), {
          kind: 'call_again',
        });
      }
    });

    it('is failed after errors that no other call meets', () => {
      for (const onUnknown of ['fail', 'retry'] as const) {
        const at = {
          afterMs: graceMs,
          finding: nothing,
          cause: 'failed_alone',
          onUnknown,
          calls: 2,
        } as const;
        const last = settlement(at);
        assert.deepEqual([last.outcome, last.status], ['failed', 'failed']);
        assert.match(last.error?.message ?? '', /It was called 2 times\.$/);
      }
    });

    it('is another call after a lost answer only where that is wanted, within the same bound', () => {
      const at = { afterMs: graceMs, finding: nothing, onUnknown: 'retry' } as const;
      assert.equal(step({ ...at, calls: maxCalls - 1 }).kind, 'call_again');
      assert.equal(settlement({ ...at, calls: maxCalls }).outcome, 'unknown');
    });
  });

  describe('that could not be read', () => {
    it('is another look, also after the grace: it ends with a look that could', () => {
      for (const afterMs of [1, graceMs, 10 * graceMs - 1]) {
        assert.equal(step({ afterMs, finding: undefined }).kind, 'reschedule_query');
      }
      assert.equal(settlement({ afterMs: 2 * graceMs, finding: nothing }).outcome, 'unknown');
    });

    it('is unknown after ten times the grace, and no call is made again for want of evidence', () => {
      for (const cause of ['lost', 'failed'] as const) {
        const { outcome, error: reported } = settlement({ afterMs: 10 * graceMs, finding: undefined, cause });
        assert.equal(outcome, 'unknown');
        assert.match(reported?.message ?? '', /Defender could not be asked/);
      }
      const asked = { afterMs: 10 * graceMs, finding: undefined, onUnknown: 'retry' } as const;
      assert.equal(step(asked).kind, 'call_again', 'unless that is wanted');
    });

    it('waits as long as Defender asks, but not beyond the end of all looking', () => {
      assert.equal(waitMs({ afterMs: 1_000, finding: undefined, retryAfterMs: 7 * minuteMs }), 7 * minuteMs);
      const day = { afterMs: minuteMs, finding: undefined, retryAfterMs: 24 * 60 * minuteMs };
      assert.equal(waitMs(day), 99 * minuteMs);
    });
  });

  describe('the looks', () => {
    it('begin soon', () => {
      assert.equal(firstQueryInMs(graceMs), 5_000);
      assert.equal(firstQueryInMs(1_000), 100);
    });

    it('come at growing intervals, the last one at the end of the grace', () => {
      const times = [firstQueryInMs(graceMs)];
      for (let at = times[0]!; at < graceMs; times.push(at)) at += waitMs({ afterMs: at, finding: nothing });
      assert.deepEqual(
        times.map((ms) => ms / 1_000),
        [5, 10, 20, 40, 80, 160, 320, 600],
      );
    });

    it('always lead on: later than now, and to an end', () => {
      const finding = fc.constantFrom(nothing, ownUnlinked, covering, undefined);
      const afterMs = fc.integer({ min: -10_000, max: 11 * graceMs });
      const cause = fc.constantFrom<UnresolvedOutcome['cause']>('lost', 'failed', 'failed_alone', 'running');
      const retryAfterMs = fc.option(fc.nat(24 * 60 * minuteMs), { nil: undefined });
      const anything = fc.record({
        finding,
        afterMs,
        cause,
        retryAfterMs,
        calls: fc.integer({ min: 1, max: 4 }),
      });
      fc.assert(
        fc.property(anything, ({ retryAfterMs: later, ...at }) => {
          const taken = step({ ...at, ...(later !== undefined && { retryAfterMs: later }) });
          if (at.afterMs >= 10 * graceMs) assert.notEqual(taken.kind, 'reschedule_query');
          if (taken.kind === 'reschedule_query') assert.ok(taken.atMs > unresolvedSinceMs + at.afterMs);
          // A call is repeated only after Defender was read and showed nothing.
          if (taken.kind === 'call_again') {
            assert.equal(at.finding?.kind, 'nothing');
            assert.ok(at.cause === 'failed' && at.afterMs >= graceMs);
          }
        }),
      );
    });
  });
});
