import assert from 'node:assert/strict';
import { describeQueues, type QueueHealth } from './ready-check.ts';

const nowMs = 1_000_000;
const stallAfterMs = 60_000;

function queue(name: string, own: Partial<Record<keyof QueueHealth, unknown>> = {}): QueueHealth {
  const state = { isActive: true, lastLookAtMs: nowMs, stalledForMs: 0, refusal: undefined, ...own };
  return {
    name,
    isActive: () => state.isActive as boolean,
    lastLookAtMs: () => state.lastLookAtMs as number,
    stalledForMs: () => state.stalledForMs as number,
    refusal: () => state.refusal as string | undefined,
  };
}
const check = (queues: readonly QueueHealth[], lastSignAtMs = nowMs) =>
  describeQueues(queues, { lastSignAtMs, stallAfterMs, nowMs });

describe('readiness of a worker', () => {
  it('holds while its queues are looked at and calls are made, or none has work', () => {
    const atRest = queue('b/x', { isActive: false, lastLookAtMs: 0 });
    for (const queues of [[queue('a/x')], [queue('a/x'), atRest], [atRest], []])
      assert.deepEqual(check(queues), {
        ok: true,
        checks: { queue: 'looked at', progress: 'as the quota allows' },
      });
  });

  it('ends where Redis takes no sign of life, however little there is to do', () => {
    assert.equal(check([], nowMs - 6_000).ok, false);
    assert.equal(check([], nowMs - 6_000).checks.queue, 'not reachable');
  });

  it('ends where the only queue cannot be looked at, or nothing moves in it', () => {
    const away = check([queue('a/x', { lastLookAtMs: nowMs - 10_000 })]);
    assert.deepEqual([away.ok, away.checks.queue], [false, 'not reachable']);
    const stalled = check([queue('a/x', { stalledForMs: 60_001 })]);
    assert.equal(stalled.ok, false);
    assert.equal(stalled.checks.progress, 'slots are free, work is ready, nothing moves');
  });

  it('holds while some queues are served, and names the others, ten at most', () => {
    const away = Array.from({ length: 12 }, (_, i) => queue(`away-${i}/x`, { lastLookAtMs: 0 }));
    const refused = queue('old/x', { isActive: false, refusal: 'layout 999' });
    const { ok, checks } = check([queue('a/x'), queue('s/x', { stalledForMs: 60_001 }), ...away, refused]);
    assert.equal(ok, true);
    assert.match(checks.queue, /^looked at, except away-0\/x, .*away-9\/x and 2 more$/);
    assert.equal(checks.progress, 'as the quota allows, except s/x');
    assert.equal(checks.notServed, 'old/x');
  });
});
