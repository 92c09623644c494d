import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import { defaultHeadStartMs, defaultOrderRules, flowOf, orderRules, partsOfFlow } from './order.ts';
import type { OrderRules } from './order.ts';
import { createOrderModel, lagOf } from '../test-support/order-model.ts';
import type { Waiting } from '../test-support/order-model.ts';

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
  it('has head starts of 30 days, 14 days, 3 days and none, and starts as far apart as slots', () => {
    const headStartMs = { critical: 30 * dayMs, high: 14 * dayMs, medium: 3 * dayMs, low: 0 };
    assert.deepEqual(defaultHeadStartMs, headStartMs);
    assert.deepEqual(defaultOrderRules, {
      headStartMs,
      intervalMs: slotMs,
      stepMs: minuteMs,
      maxLagMs: dayMs,
    });
  });

  it('has starts no closer than its scale can tell, and none when sources need not be fair', () => {
    const settings = { headStartMs: defaultHeadStartMs, limit: 5, windowMs: 10_000 };
    assert.equal(orderRules({ ...settings, fairSources: true }).intervalMs, minuteMs);
    assert.equal(orderRules({ ...settings, fairSources: false }).intervalMs, 0);
  });

  it('takes a source for one of its caller alone, whatever others call theirs', () => {
    const flows = [
      flowOf('edr', 'one'),
      flowOf('edr', 'other'),
      flowOf(undefined, 'one'),
      flowOf(undefined, 'edr'),
    ];
    assert.equal(new Set(flows).size, 4);
    assert.deepEqual(flows.map(partsOfFlow), [
      ['one', 'edr'],
      ['other', 'edr'],
      ['one', ''],
      ['edr', ''],
    ]);
    // A source may hold what a name may not.
    assert.deepEqual(partsOfFlow(flowOf('a\0b', 'one')), ['one', 'a\0b']);
  });

  it('lets no request pass a waiting one if it arrives later than its lag and head start allow', () => {
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
    const line = createOrderModel(rules, startMs);
    const low = line.arrive('low', 'patient', startMs);
    let sources = 0;
    let waitedMs = 0;
    for (; ; waitedMs += slotMs) {
      // Two for each slot, of a new source.
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
    const line = createOrderModel(defaultOrderRules, startMs);
    for (let i = 0; i < 50; i += 1) line.arrive('low', 'bulk', startMs);
    const last = line.arrive('low', 'bulk', startMs);
    let waitedMs = 0;
    for (let sources = 0; line.begin() !== last; waitedMs += slotMs) {
      for (let i = 0; i < 2; i += 1) line.arrive('low', `new-${sources++}`, startMs + waitedMs);
      assert.ok(waitedMs < 10 * dayMs, 'it starves');
    }
    const passMs = last.virtualStartMs - startMs + lagOf(defaultOrderRules, 'low') + defaultOrderRules.stepMs;
    assert.ok(waitedMs <= (2 * Math.ceil(passMs / slotMs) + 52) * slotMs, `${waitedMs / hourMs} h`);
  });

  it('gives the next slot to a critical arrival, whatever waits', () => {
    fc.assert(
      fc.property(arrivals, (given) => {
        const line = createOrderModel(defaultOrderRules, startMs);
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
        const line = createOrderModel(defaultOrderRules, startMs);
        const nowMs = arriveAll(line, given, { servedEach: 3 });
        const jobPriorities = priorities.map((priority) => line.arrive(priority, `new ${priority}`, nowMs));
        for (const [i, lessUrgent] of jobPriorities.entries()) {
          const moreUrgent = jobPriorities[i - 1];
          // Where the virtual time of its own class is ahead of the present, it waits for those in it.
          if (moreUrgent && moreUrgent.virtualStartMs <= nowMs)
            assert.ok(moreUrgent.jobPriority < lessUrgent.jobPriority);
        }
      }),
    );
  });

  for (const [what, bulk, few, within] of [
    ['caller', 'bulk', 'few', 7],
    // Among the first few, what was placed before it came goes twice as often.
    ['source of a caller', flowOf('bulk', 'one'), flowOf('few', 'one'), 9],
  ] as const) {
    it(`gives a ${what} with 3 machines starts among those of one with 500`, () => {
      const line = createOrderModel(defaultOrderRules, startMs);
      for (let i = 0; i < 500; i += 1) line.arrive('medium', bulk, startMs);
      for (let i = 0; i < 25; i += 1) line.begin();
      const late = Array.from({ length: 3 }, () => line.arrive('medium', few, startMs + 5 * hourMs));
      const next = Array.from({ length: within }, () => line.begin());
      const turns = next.map((one) => (one && late.includes(one) ? 'few' : 'bulk'));
      assert.equal(turns.filter((turn) => turn === 'few').length, 3, turns.join(' '));
      assert.doesNotMatch(turns.join(' '), /few few/);
    });
  }

  describe('between callers', () => {
    /** How many of those that were begun are of each caller, whose flow's first part is its name. */
    function countByCaller(begun: readonly (Waiting | undefined)[]) {
      const counts: Record<string, number> = {};
      for (const one of begun) {
        const [caller] = partsOfFlow(one?.flow ?? '');
        counts[caller] = (counts[caller] ?? 0) + 1;
      }
      return counts;
    }
    const beginMany = (line: Line, count: number) => Array.from({ length: count }, () => line.begin());

    it('gives nothing to one that names a source for each request', () => {
      const line = createOrderModel(defaultOrderRules, startMs);
      for (let i = 0; i < 10; i += 1) line.arrive('critical', flowOf('soar', 'a'), startMs);
      for (let i = 0; i < 50; i += 1) line.arrive('critical', flowOf(`new-${i}`, 'b'), startMs);
      assert.deepEqual(countByCaller(beginMany(line, 20)), { a: 10, b: 10 });
    });

    it('gives nothing to one that names further sources behind many that it placed', () => {
      const line = createOrderModel(defaultOrderRules, startMs);
      for (let i = 0; i < 60; i += 1) line.arrive('medium', flowOf('bulk', 'b'), startMs);
      for (let i = 0; i < 60; i += 1) line.arrive('medium', flowOf('more', 'b'), startMs);
      for (let i = 0; i < 60; i += 1) line.arrive('medium', flowOf(`new-${i}`, 'b'), startMs);
      for (let i = 0; i < 40; i += 1) line.arrive('medium', flowOf('soar', 'a'), startMs);
      assert.deepEqual(countByCaller(beginMany(line, 80)), { a: 40, b: 40 });
    });

    it('gives nothing to one that comes with a new source each time, one request after the other', () => {
      const line = createOrderModel(defaultOrderRules, startMs);
      for (let i = 0; i < 50; i += 1) line.arrive('medium', flowOf('soar', 'a'), startMs);
      const begun: (Waiting | undefined)[] = [];
      for (let i = 0; i < 60; i += 1) {
        line.arrive('medium', flowOf(`new-${i}`, 'b'), startMs + i * slotMs);
        begun.push(line.begin());
      }
      const { a = 0, b = 0 } = countByCaller(begun);
      assert.ok(Math.abs(a - b) <= 2, `${a} to ${b}`);
    });

    it('takes nothing from one whose source another names as its own', () => {
      const placesOfA = (namedByB: string) => {
        const line = createOrderModel(defaultOrderRules, startMs);
        for (let i = 0; i < 30; i += 1) line.arrive('medium', flowOf(namedByB, 'b'), startMs);
        for (let i = 0; i < 10; i += 1) line.arrive('medium', flowOf('soar', 'a'), startMs);
        return beginMany(line, 40).map((one) => one?.flow === flowOf('soar', 'a'));
      };
      assert.deepEqual(placesOfA('soar'), placesOfA('of its own'));
    });

    it('starts each caller that has some waiting, whatever they name and however they come', () => {
      const one = fc.record({
        priority: fc.constantFrom<Priority>('high', 'medium'),
        caller: fc.constantFrom('a', 'b', 'c'),
        source: fc.integer({ min: 0, max: 5 }),
        count: fc.integer({ min: 1, max: 12 }),
        served: fc.integer({ min: 0, max: 6 }),
      });
      fc.assert(
        fc.property(fc.array(one, { minLength: 3, maxLength: 25 }), (given) => {
          const line = createOrderModel(defaultOrderRules, startMs);
          const watch = watchTurns();
          for (const { priority, caller, source, count, served } of given) {
            for (let i = 0; i < count; i += 1) {
              watch.arrived(line.arrive(priority, flowOf(`source-${source}`, caller), startMs));
            }
            for (let i = 0; i < served; i += 1) watch.begun(line.begin());
          }
          for (let next = line.begin(); next; next = line.begin()) watch.begun(next);
          watch.end();
        }),
        { numRuns: 300 },
      );
    });
  });

  it('serves one source first come first served within a class, and everything without fair queueing', () => {
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

/**
 * Holds what was begun against what each caller is due: as long as two of them have some of a class waiting, neither gets
 * ahead of the other by more than the start that it may have had just before; and a flow is served in its order.
 */
function watchTurns() {
  const waiting = new Map<string, Waiting[]>();
  /** By class and two callers: how much further the first was served while both had some waiting; least and most. */
  const ahead = new Map<string, { now: number; least: number; most: number }>();
  const lineOf = (priority: Priority, caller: string) => {
    const key = `${priority} ${caller}`;
    const line = waiting.get(key) ?? [];
    waiting.set(key, line);
    return line;
  };
  const others = (caller: string) => ['a', 'b', 'c'].filter((other) => other !== caller);
  const pair = (priority: Priority, one: string, other: string) =>
    one < other ? `${priority} ${one} ${other}` : `${priority} ${other} ${one}`;

  return {
    arrived(one: Waiting) {
      lineOf(one.priority, partsOfFlow(one.flow)[0]).push(one);
    },
    begun(one: Waiting | undefined) {
      if (!one) return;
      const { priority, flow } = one;
      const [caller] = partsOfFlow(flow);
      const line = lineOf(priority, caller);
      assert.equal(
        line.find((other) => other.flow === flow)?.number,
        one.number,
        'not in the order of its flow',
      );
      for (const other of others(caller)) {
        const key = pair(priority, caller, other);
        if (lineOf(priority, other).length === 0) {
          ahead.delete(key);
          continue;
        }
        const seen = ahead.get(key) ?? { now: 0, least: 0, most: 0 };
        seen.now += caller < other ? 1 : -1;
        seen.least = Math.min(seen.least, seen.now);
        seen.most = Math.max(seen.most, seen.now);
        assert.ok(seen.most - seen.least <= 3, `${key}: one is ${seen.most - seen.least} turns ahead`);
        ahead.set(key, seen);
      }
      line.splice(line.indexOf(one), 1);
      if (line.length === 0) for (const other of others(caller)) ahead.delete(pair(priority, caller, other));
    },
    end() {
      assert.ok(
        [...waiting.values()].every((line) => line.length === 0),
        'all were begun',
      );
    },
  };
}

type Line = ReturnType<typeof createOrderModel>;
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
  const line = createOrderModel(rules, startMs);
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
    second.virtualStartMs -
    headStartMs[second.priority] +
    headStartMs[first.priority] +
    lagOf(rules, first.priority) +
    stepMs;
  assert.ok(first.arrivedAtMs <= Math.max(second.arrivedAtMs, lastMs), 'passed by one that came too late');
}
