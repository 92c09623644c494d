import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { createForecast, expectedStartAtMs, freeSlots, nextSlotAtMs, slotAfterLastAtMs } from './forecast.ts';
import type { LedgerSnapshot, LimitState } from './ledger/replies.ts';

const nowMs = 1_000_000;

interface Counted {
  /** From when the call counts. */
  atMs: number;
  isThrottled?: boolean;
}

interface Allowed {
  calls: number;
  windowMs: number;
  /** After a 429. */
  lower?: { calls: number; untilMs: number };
}

type Further = Pick<Partial<LedgerSnapshot>, 'hold' | 'reserve'>;

/** @param listedAtMost the ledger lists the newest calls only, and of the others the times alone */
function viewOfAll(
  allowed: readonly Allowed[],
  counted: readonly Counted[],
  further: Further = {},
  listedAtMost = 100,
): LedgerSnapshot {
  const longestMs = Math.max(...allowed.map(({ windowMs }) => windowMs));
  const inUse = counted.filter(({ atMs }) => atMs > nowMs - longestMs).toSorted((a, b) => a.atMs - b.atMs);
  const limits = allowed.map(({ calls, windowMs, lower }): LimitState => {
    const within = inUse.filter(({ atMs }) => atMs > nowMs - windowMs);
    const opens = (those: readonly Counted[], most: number) =>
      those.length < most ? {} : { opensAtMs: those[those.length - most]!.atMs + windowMs };
    const fitted = within.filter(({ isThrottled }) => !isThrottled);
    return {
      windowMs,
      quotaCalls: calls,
      calls: lower?.calls ?? calls,
      used: within.length,
      ...opens(within, calls),
      ...(lower && { lower: { untilMs: lower.untilMs, used: fitted.length, ...opens(fitted, lower.calls) } }),
    };
  });
  const others = inUse.slice(0, -listedAtMost);
  const throttled = others.filter(({ isThrottled }) => isThrottled);
  return {
    nowMs,
    limits: limits as [LimitState, ...LimitState[]],
    slotsInUse: inUse.slice(-listedAtMost).map(({ atMs, isThrottled }) => ({
      freeAtMs: atMs + longestMs,
      call: isThrottled
        ? { callId: `${atMs}`, taskId: 't', machineId: 'm', spentAt: atMs, outcome: 'throttled' }
        : undefined,
    })),
    othersCountFromMs: others.map(({ atMs }) => atMs),
    othersThrottledFromMs: throttled.map(({ atMs }) => atMs),
    hold: undefined,
    holdsOn: [],
    isLost: false,
    ...further,
  };
}

interface Single extends Further {
  limit?: number;
  windowMs?: number;
  /** The limit by the settings, if the limit is lower. */
  quotaLimit?: number;
  limitUntilMs?: number;
  freeAtMs?: number[];
  throttledFreeAtMs?: number[];
}

/** Of one limit. */
function viewOf({ limit = 2, windowMs = 100, quotaLimit = limit, limitUntilMs, ...rest }: Single) {
  const { freeAtMs = [], throttledFreeAtMs = [], ...further } = rest;
  const lower = quotaLimit > limit ? { calls: limit, untilMs: limitUntilMs ?? Infinity } : undefined;
  const calls = [
    ...freeAtMs.map((ms) => ({ atMs: ms - windowMs })),
    ...throttledFreeAtMs.map((ms) => ({ atMs: ms - windowMs, isThrottled: true })),
  ];
  return viewOfAll([{ calls: quotaLimit, windowMs, ...(lower && { lower }) }], calls, further);
}

/** Permits in use may be more than the limit, if it was lowered; one whose call is in flight is out for over a window. */
const anySingle = fc
  .record({
    limit: fc.integer({ min: 1, max: 6 }),
    windowMs: fc.integer({ min: 1, max: 500 }),
    awayMs: fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 8 }),
    holdMs: fc.option(fc.integer({ min: 1, max: 700 }), { nil: undefined }),
  })
  .map(({ limit, windowMs, awayMs, holdMs }) => ({
    limit,
    windowMs,
    freeAtMs: awayMs.map((ms) => nowMs + ms),
    ...(holdMs === undefined ? {} : { hold: { reason: 'paused', untilMs: nowMs + holdMs } }),
  }));
const anyView = anySingle.map(viewOf);

/** Up to three limits, of which some may be lower for a time; calls anywhere in the windows, some still in flight. */
const anyViewOfAll = fc
  .record({
    allowed: fc.uniqueArray(
      fc.record(
        {
          calls: fc.integer({ min: 1, max: 9 }),
          windowMs: fc.integer({ min: 1, max: 400 }),
          lower: fc.record({
            calls: fc.integer({ min: 1, max: 8 }),
            untilMs: fc.integer({ min: nowMs + 1, max: nowMs + 600 }),
          }),
        },
        { requiredKeys: ['calls', 'windowMs'] },
      ),
      { minLength: 1, maxLength: 3, selector: ({ windowMs }) => windowMs },
    ),
    counted: fc.array(
      fc.record({ atMs: fc.integer({ min: nowMs - 400, max: nowMs + 60 }), isThrottled: fc.boolean() }),
      { maxLength: 14 },
    ),
    holdMs: fc.option(fc.integer({ min: 1, max: 700 }), { nil: undefined }),
    kept: fc.option(fc.record({ slots: fc.nat(4), criticalWaiting: fc.nat(8) }), { nil: undefined }),
    listedAtMost: fc.integer({ min: 1, max: 14 }),
  })
  .map(({ allowed, counted, holdMs, kept, listedAtMost }) => {
    const limits = allowed.map(({ lower, ...one }) =>
      lower && lower.calls < one.calls ? { ...one, lower } : one,
    );
    const fewest = Math.min(...limits.map(({ calls }) => calls));
    const hold = holdMs === undefined ? {} : { hold: { reason: 'paused', untilMs: nowMs + holdMs } };
    const reserve = kept ? { reserve: { ...kept, slots: Math.min(kept.slots, fewest - 1) } } : {};
    return { limits, counted, view: viewOfAll(limits, counted, { ...hold, ...reserve }, listedAtMost) };
  });

describe('freeSlots', () => {
  it('is what the limit leaves, and never below 0', () => {
    assert.equal(freeSlots(viewOf({})), 2);
    assert.equal(freeSlots(viewOf({ freeAtMs: [nowMs + 1] })), 1);
    assert.equal(freeSlots(viewOf({ freeAtMs: [nowMs + 1, nowMs + 2, nowMs + 3] })), 0);
  });
});

describe('free slots and starts while other applications use the same quota', () => {
  const slots = { throttledFreeAtMs: [nowMs + 10], freeAtMs: [nowMs + 20, nowMs + 30] };

  it('counts what fitted against the lower limit', () => {
    const view = viewOf({ limit: 2, quotaLimit: 5, ...slots });
    assert.deepEqual(
      [freeSlots(view), nextSlotAtMs(view), expectedStartAtMs(view, 1), expectedStartAtMs(view, 2)],
      [0, nowMs + 20, nowMs + 20, nowMs + 30],
    );
    assert.equal(freeSlots(viewOf({ limit: 3, quotaLimit: 5, ...slots })), 1);
  });

  it('counts all calls against the quota', () => {
    const two = { throttledFreeAtMs: [nowMs + 10], freeAtMs: [nowMs + 20] };
    const view = viewOf({ limit: 2, quotaLimit: 3, ...two });
    assert.equal(freeSlots(view), 1);
    const full = viewOf({ limit: 2, quotaLimit: 2, ...two });
    assert.deepEqual([freeSlots(full), nextSlotAtMs(full)], [0, nowMs + 10]);
  });
});

describe('nextSlotAtMs', () => {
  it('is now while a permit is free', () => {
    assert.equal(nextSlotAtMs(viewOf({ freeAtMs: [nowMs + 50] })), nowMs);
  });

  it('is when the first permit comes back once all are in use', () => {
    assert.equal(nextSlotAtMs(viewOf({ freeAtMs: [nowMs + 50, nowMs + 70] })), nowMs + 50);
  });

  it('is when enough have come back where more are in use than the limit allows', () => {
    assert.equal(nextSlotAtMs(viewOf({ freeAtMs: [nowMs + 50, nowMs + 70, nowMs + 90] })), nowMs + 70);
  });
});

describe('slotAfterLastAtMs', () => {
  const limits = [
    { calls: 2, windowMs: 100 },
    { calls: 4, windowMs: 1_000 },
  ];
  // Of the second one is free, which leaves one of the first too.
  const counted = [{ atMs: nowMs - 900 }, { atMs: nowMs - 500 }, { atMs: nowMs - 60 }];

  it('is when the call before it comes back that counts longest', () => {
    assert.equal(slotAfterLastAtMs(viewOfAll(limits, counted)), nowMs + 100);
    assert.equal(slotAfterLastAtMs(viewOfAll(limits.slice(0, 1), counted)), nowMs + 40);
  });

  it('is unknown where calls count that are not listed, and known where they matter to no limit that is nearly full', () => {
    const { othersCountFromMs: _, ...seen } = viewOfAll(limits, counted, {}, 2);
    assert.equal(slotAfterLastAtMs(seen), undefined);
    const [shorter, longer] = limits;
    const { othersCountFromMs: __, ...rest } = viewOfAll(
      [shorter!, { ...longer!, calls: 9 }],
      counted,
      {},
      2,
    );
    assert.equal(slotAfterLastAtMs(rest), nowMs + 40);
  });
});

describe('expectedStartAtMs', () => {
  it('gives each window as many starts as the limit', () => {
    const view = viewOf({ freeAtMs: [nowMs + 50] });
    assert.deepEqual(
      [1, 2, 3, 4, 5].map((position) => expectedStartAtMs(view, position) - nowMs),
      [0, 50, 100, 150, 200],
    );
  });

  it('counts a call that is in flight as coming back later than one that starts now', () => {
    const view = viewOf({ freeAtMs: [nowMs + 130] });
    assert.deepEqual(
      [1, 2, 3, 4].map((position) => expectedStartAtMs(view, position) - nowMs),
      [0, 100, 130, 200],
    );
  });

  it('begins when the hold ends', () => {
    const view = viewOf({ freeAtMs: [nowMs + 50], hold: { reason: 'throttled', untilMs: nowMs + 70 } });
    assert.deepEqual(
      [1, 2, 3].map((position) => expectedStartAtMs(view, position) - nowMs),
      [70, 70, 170],
    );
  });

  it('comes to an end during a hold that has none', () => {
    const untilMs = Number.MAX_SAFE_INTEGER;
    const view = viewOf({ freeAtMs: [nowMs + 50], hold: { reason: 'paused', untilMs } });
    assert.ok(expectedStartAtMs(view, 10_000) >= untilMs);
  });

  it('is the next slot, or the end of the hold, for the first in the order', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        assert.equal(expectedStartAtMs(view, 1), Math.max(nextSlotAtMs(view), view.hold?.untilMs ?? 0));
      }),
    );
  });

  it('never comes before the one in front', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        for (let position = 1; position < 20; position += 1) {
          assert.ok(expectedStartAtMs(view, position) <= expectedStartAtMs(view, position + 1));
        }
      }),
    );
  });

  it('lets critical calls use every slot, and the others leave what is kept for them', () => {
    const view = viewOf({ limit: 3, freeAtMs: [nowMs + 30] });
    const startsWith = (slots: number, criticalWaiting: number) =>
      [1, 2, 3, 4].map((position) => {
        const reserve = { slots, criticalWaiting };
        return expectedStartAtMs({ ...view, reserve }, position) - nowMs;
      });
    assert.deepEqual(startsWith(0, 0), [0, 0, 30, 100]);
    assert.deepEqual(startsWith(1, 0), [0, 30, 100, 130]);
    assert.deepEqual(startsWith(2, 0), [30, 130, 230, 330]);
    assert.deepEqual(startsWith(1, 2), [0, 0, 100, 100]);
    assert.deepEqual(startsWith(2, 4), [0, 0, 30, 100]);
  });

  it('is what happens where slots are kept for critical calls', () => {
    fc.assert(
      fc.property(anyView, fc.nat({ max: 5 }), fc.nat({ max: 8 }), (view, slots, criticalWaiting) => {
        fc.pre(slots < view.limits[0].quotaCalls);
        const reserved = { ...view, reserve: { slots, criticalWaiting } };
        const positions = Array.from({ length: 20 }, (_, i) => i + 1);
        assert.deepEqual(
          positions.map((position) => expectedStartAtMs(reserved, position)),
          simulate(reserved, positions.length),
        );
      }),
    );
  });

  it('takes a limit lowered by foreign use to be the full one again once its time is over', () => {
    const view = viewOf({ limit: 1, quotaLimit: 3, limitUntilMs: nowMs + 150 });
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map((position) => expectedStartAtMs(view, position) - nowMs),
      [0, 100, 150, 150, 200, 250],
    );
  });

  it('is what happens when every slot is used at once, also where the limit is lower for a time', () => {
    fc.assert(
      fc.property(
        anySingle,
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 900 }),
        (single, more, ms) => {
          const quotaLimit = single.limit + more;
          const lowered = viewOf({ ...single, quotaLimit, limitUntilMs: nowMs + ms });
          const positions = Array.from({ length: 20 }, (_, i) => i + 1);
          assert.deepEqual(
            positions.map((position) => expectedStartAtMs(lowered, position)),
            simulate(lowered, positions.length),
          );
        },
      ),
    );
  });

  it('is what happens when every slot is used at once', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const positions = Array.from({ length: 20 }, (_, i) => i + 1);
        assert.deepEqual(
          positions.map((position) => expectedStartAtMs(view, position)),
          simulate(view, positions.length),
        );
      }),
    );
  });
});

describe('starts under several limits', () => {
  it('are held back by the window that is full, whichever that is', () => {
    const allowed = [
      { calls: 2, windowMs: 10 },
      { calls: 3, windowMs: 100 },
    ];
    const view = viewOfAll(allowed, []);
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6, 7].map((position) => expectedStartAtMs(view, position) - nowMs),
      [0, 0, 10, 100, 100, 110, 200],
    );
    const both = viewOfAll(allowed, [{ atMs: nowMs - 50 }, { atMs: nowMs - 5 }, { atMs: nowMs - 4 }]);
    assert.deepEqual([freeSlots(both), nextSlotAtMs(both)], [0, nowMs + 50]);
  });

  it('are what happens when every slot is used at once, by brute force', () => {
    fc.assert(
      fc.property(anyViewOfAll, ({ limits, counted, view }) => {
        const positions = Array.from({ length: 25 }, (_, i) => i + 1);
        const forecast = createForecast(view);
        assert.deepEqual(positions.map(forecast), simulateAll(limits, counted, view, positions.length));
      }),
      { numRuns: 1_000 },
    );
  });

  it('are the same far ahead, where they repeat and are not worked out one by one', () => {
    fc.assert(
      fc.property(anyViewOfAll, ({ limits, counted, view }) => {
        const far = simulateAll(limits, counted, view, 120);
        for (const position of [40, 77, 119, 120]) {
          assert.equal(createForecast(view)(position), far[position - 1]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are known at once a month ahead: 100 a minute and 1,500 an hour', () => {
    const allowed = [
      { calls: 100, windowMs: 60_000 },
      { calls: 1_500, windowMs: 3_600_000 },
    ];
    const view = viewOfAll(allowed, []);
    const startedAt = performance.now();
    const hours = 24 * 30;
    assert.equal(expectedStartAtMs(view, hours * 1_500 + 1), nowMs + hours * 3_600_000);
    assert.ok(performance.now() - startedAt < 100, 'and not by a million steps');
  });
});

/** The same by what is defined of a view of one limit. */
function simulate(view: LedgerSnapshot, count: number): number[] {
  const [{ windowMs, quotaCalls, calls, lower }] = view.limits;
  const allowed = { calls: quotaCalls, windowMs, ...(lower && { lower: { calls, untilMs: lower.untilMs } }) };
  const counted = view.slotsInUse.map(({ freeAtMs }) => ({ atMs: freeAtMs - windowMs }));
  return simulateAll([allowed], counted, view, count);
}

/** Millisecond by millisecond: as long as fewer permits are out than each limit allows, the next call takes one. */
function simulateAll(
  limits: readonly Allowed[],
  counted: readonly Counted[],
  { hold, reserve }: LedgerSnapshot,
  count: number,
): number[] {
  const startedAt: number[] = [];
  const calls = [...counted];
  for (let time = Math.max(nowMs, hold?.untilMs ?? 0); startedAt.length < count; time += 1) {
    const hasRoom = () => {
      const kept = startedAt.length >= (reserve?.criticalWaiting ?? 0) ? (reserve?.slots ?? 0) : 0;
      return limits.every(({ calls: most, windowMs, lower }) => {
        const within = calls.filter(({ atMs }) => atMs + windowMs > time);
        const fitted = within.filter(({ isThrottled }) => !isThrottled);
        const isLower = lower !== undefined && time < lower.untilMs;
        return within.length < most - kept && (!isLower || fitted.length < lower.calls - kept);
      });
    };
    for (; startedAt.length < count && hasRoom(); calls.push({ atMs: time })) startedAt.push(time);
  }
  return startedAt;
}
