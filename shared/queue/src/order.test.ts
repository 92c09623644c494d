import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import { defaultHeadStartMs, defaultOrderRules, orderRules, turnOf } from './order.ts';
import type { OrderRules } from './order.ts';
import { createLine, lagOf } from './test-support/order-model.ts';
import type { Waiting } from './test-support/order-model.ts';

// The order's rules beside themselves alone, for runs of weeks; that the scripts follow them is order-in-redis.test.ts.

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const startMs = Date.UTC(2026, 0, 24);
/** Five calls an hour. */
const slotMs = 12 * minuteMs;

const aPriority = fc.constantFrom<Priority>(...priorities);
const arrivals = fc.array(
  fc.record({
    priority: aPriority,
    source: fc.integer({ min: 0, max: 3 }),
    pauseMs: fc.integer({ min: 0, max: 40 * minuteMs }),
  }),
  { minLength: 10, maxLength: 120 },
);

describe('the order', () => {
  it('has head starts of 30 days, 24 hours, 4 hours and none, and turns as far apart as slots', () => {
    const headStartMs = { critical: 30 * dayMs, high: dayMs, medium: 4 * hourMs, low: 0 };
    assert.deepEqual(defaultHeadStartMs, headStartMs);
    assert.deepEqual(defaultOrderRules, {
      headStartMs,
      intervalMs: slotMs,
      stepMs: minuteMs,
      longestLagMs: dayMs,
    });
  });

  it('has turns no closer than its scale can tell, and none when sources need not be fair', () => {
    const settings = { headStartMs: defaultHeadStartMs, limit: 5, windowMs: 10_000 };
    assert.equal(orderRules({ ...settings, fairSources: true }).intervalMs, minuteMs);
    assert.equal(orderRules({ ...settings, fairSources: false }).intervalMs, 0);
  });

  it('takes requests without a source for those of their sender, never for a source of that name', () => {
    assert.notEqual(turnOf(undefined, 'soar'), turnOf('soar', undefined));
    assert.equal(turnOf('edr', 'one'), turnOf('edr', 'other'));
  });

  it('lets nobody pass one that waits who arrives later than its lag and head start allow', () => {
    fc.assert(
      fc.property(arrivals, (given) => {
        const begun = replay(defaultOrderRules, given);
        for (const [i, first] of begun.entries()) {
          for (const second of begun.slice(i + 1)) assertMayPass(defaultOrderRules, first, second);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('begins a low request in bounded time, though urgent ones of ever new sources come faster than slots', () => {
    // Shorter than the default, so that the bound is reached within a test's time; the rule is the same.
    const headStartMs = { critical: 12 * hourMs, high: 6 * hourMs, medium: 2 * hourMs, low: 0 };
    const rules = orderRules({ headStartMs, fairSources: true, limit: 5, windowMs: hourMs });
    const line = createLine(rules, startMs);
    const low = line.arrive('low', 'patient', startMs);
    let sources = 0;
    let waitedMs = 0;
    for (; ; waitedMs += slotMs) {
      // Two for each slot, of a source that nobody saw before.
      for (let i = 0; i < 2; i += 1) line.arrive('critical', `new-${sources++}`, startMs + waitedMs);
      if (line.begin() === low) break;
      assert.ok(waitedMs < 30 * dayMs, 'it starves');
    }
    // Those that may pass it come within head start and lag, and each takes a slot.
    const mayPass =
      2 * Math.ceil((headStartMs.critical + lagOf(rules, 'critical') + rules.stepMs) / slotMs) + 2;
    assert.ok(waitedMs <= mayPass * slotMs, `${waitedMs / hourMs} h`);
  });

  it('begins a low request in bounded time, though low ones of ever new sources come faster than slots', () => {
    const line = createLine(defaultOrderRules, startMs);
    for (let i = 0; i < 50; i += 1) line.arrive('low', 'bulk', startMs);
    const last = line.arrive('low', 'bulk', startMs);
    let waitedMs = 0;
    for (let sources = 0; line.begin() !== last; waitedMs += slotMs) {
      for (let i = 0; i < 2; i += 1) line.arrive('low', `new-${sources++}`, startMs + waitedMs);
      assert.ok(waitedMs < 10 * dayMs, 'it starves');
    }
    const passMs = last.tagMs - startMs + lagOf(defaultOrderRules, 'low') + defaultOrderRules.stepMs;
    assert.ok(waitedMs <= (2 * Math.ceil(passMs / slotMs) + 52) * slotMs, `${waitedMs / hourMs} h`);
  });

  it('gives the next slot to a critical arrival, whatever waits', () => {
    fc.assert(
      fc.property(arrivals, (given) => {
        const line = createLine(defaultOrderRules, startMs);
        const nowMs = arriveAll(
          line,
          given.filter(({ priority }) => priority !== 'critical'),
        );
        const urgent = line.arrive('critical', 'source-0', nowMs);
        assert.equal(line.begin(), urgent);
      }),
    );
  });

  it('keeps those of one arrival time in the order of their classes, newcomers too', () => {
    fc.assert(
      fc.property(arrivals, (given) => {
        const line = createLine(defaultOrderRules, startMs);
        const nowMs = arriveAll(line, given, { servedEach: 3 });
        const ranks = priorities.map((priority) => line.arrive(priority, `new ${priority}`, nowMs));
        for (const [i, lessUrgent] of ranks.entries()) {
          const moreUrgent = ranks[i - 1];
          // Where its own line has come further than the present, it waits for those in it.
          if (moreUrgent && moreUrgent.tagMs <= nowMs) assert.ok(moreUrgent.rank < lessUrgent.rank);
        }
      }),
    );
  });

  it('gives a source with 3 machines its turns among those of one with 500', () => {
    const line = createLine(defaultOrderRules, startMs);
    for (let i = 0; i < 500; i += 1) line.arrive('medium', 'bulk', startMs);
    for (let i = 0; i < 25; i += 1) line.begin();
    const few = Array.from({ length: 3 }, () => line.arrive('medium', 'few', startMs + 5 * hourMs));
    const next = Array.from({ length: 8 }, () => line.begin());
    const turns = next.map((one) => (one && few.includes(one) ? 'few' : 'bulk'));
    assert.deepEqual(turns.slice(0, 7).filter((turn) => turn === 'few').length, 3, turns.join(' '));
    assert.doesNotMatch(turns.join(' '), /few few/);
  });

  it('serves one source first come first served within a class, and everybody so without turns', () => {
    fc.assert(
      fc.property(arrivals, aPriority, fc.boolean(), (given, priority, fairSources) => {
        const quota = { limit: 5, windowMs: hourMs };
        const rules = orderRules({ headStartMs: defaultHeadStartMs, fairSources, ...quota });
        const same = given.map((one) => ({ ...one, priority, ...(fairSources && { source: 0 }) }));
        const arrived = replay(rules, same).map(({ number }) => number);
        assert.deepEqual(
          arrived,
          arrived.toSorted((a, b) => a - b),
        );
      }),
    );
  });
});

type Line = ReturnType<typeof createLine>;
interface Arrival {
  priority: Priority;
  source: number;
  pauseMs: number;
}

/** @returns the time after the last of them */
function arriveAll(line: Line, given: readonly Arrival[], { servedEach = 0 } = {}): number {
  let nowMs = startMs;
  for (const [i, { priority, source, pauseMs }] of given.entries()) {
    nowMs += pauseMs;
    line.arrive(priority, `source-${source}`, nowMs);
    if (servedEach > 0 && i % servedEach === 0) line.begin();
  }
  return nowMs;
}

/** Serves them at five an hour, from the first to the last. @returns them in the order in which they were begun */
function replay(rules: OrderRules, given: readonly Arrival[]): Waiting[] {
  const line = createLine(rules, startMs);
  const begun: Waiting[] = [];
  let [nowMs, slotAtMs] = [startMs, startMs];
  const serveUntil = (untilMs: number) => {
    for (; slotAtMs <= untilMs; slotAtMs += slotMs) {
      const next = line.begin();
      if (next) begun.push(next);
    }
  };
  for (const { priority, source, pauseMs } of given) {
    nowMs += pauseMs;
    serveUntil(nowMs);
    line.arrive(priority, `source-${source}`, nowMs);
  }
  serveUntil(nowMs + given.length * slotMs);
  assert.equal(begun.length, given.length, 'all were begun');
  return begun;
}

/** `first` was begun before `second`. Arrived after it, it may pass only within lag and head starts. */
function assertMayPass(rules: OrderRules, first: Waiting, second: Waiting): void {
  const { headStartMs, stepMs } = rules;
  const lastMs =
    second.tagMs -
    headStartMs[second.priority] +
    headStartMs[first.priority] +
    lagOf(rules, first.priority) +
    stepMs;
  assert.ok(first.arrivedAtMs <= Math.max(second.arrivedAtMs, lastMs), 'passed by one that came too late');
}
