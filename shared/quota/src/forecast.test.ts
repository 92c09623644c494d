import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { expectedStartAtMs, freeSlots, nextSlotAtMs } from './forecast.ts';
import type { LedgerSnapshot } from './ledger/replies.ts';

const nowMs = 1_000_000;

function viewOf(view: Partial<LedgerSnapshot> & { freeAtMs?: number[] }): LedgerSnapshot {
  const { freeAtMs = [], ...rest } = view;
  const slotsInUse = freeAtMs.map((freeAt) => ({ freeAtMs: freeAt, call: undefined }));
  const limit = rest.limit ?? 2;
  const rested = { windowMs: 100, hold: undefined, holdsOn: [], isLost: false, ...rest };
  return { nowMs, limit, quotaLimit: limit, slotsInUse, ...rested };
}

/** Permits in use may be more than the limit, if it was lowered; one whose call is in flight is out for over a window. */
const anyView = fc
  .record({
    limit: fc.integer({ min: 1, max: 6 }),
    windowMs: fc.integer({ min: 1, max: 500 }),
    awayMs: fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 8 }),
    holdMs: fc.option(fc.integer({ min: 1, max: 700 }), { nil: undefined }),
  })
  .map(({ limit, windowMs, awayMs, holdMs }) =>
    viewOf({
      limit,
      windowMs,
      freeAtMs: awayMs.map((ms) => nowMs + ms).toSorted((a, b) => a - b),
      hold: holdMs === undefined ? undefined : { reason: 'paused', untilMs: nowMs + holdMs },
    }),
  );

describe('freeSlots', () => {
  it('is what the limit leaves, and never below 0', () => {
    assert.equal(freeSlots(viewOf({})), 2);
    assert.equal(freeSlots(viewOf({ freeAtMs: [nowMs + 1] })), 1);
    assert.equal(freeSlots(viewOf({ freeAtMs: [nowMs + 1, nowMs + 2, nowMs + 3] })), 0);
  });
});

describe('free slots and starts while other applications use the same quota', () => {
  const slot = (freeAtMs: number, outcome: string) => ({
    freeAtMs,
    call: { callId: `${freeAtMs}`, taskId: 'd', machineId: 'm', spentAt: nowMs, outcome },
  });
  const slots = [slot(nowMs + 10, 'throttled'), slot(nowMs + 20, 'started'), slot(nowMs + 30, 'started')];

  it('counts what fitted against the lower limit', () => {
    const view = viewOf({ limit: 2, quotaLimit: 5, slotsInUse: slots });
    assert.deepEqual(
      [freeSlots(view), nextSlotAtMs(view), expectedStartAtMs(view, 1), expectedStartAtMs(view, 2)],
      [0, nowMs + 20, nowMs + 20, nowMs + 30],
    );
    assert.equal(freeSlots(viewOf({ limit: 3, quotaLimit: 5, slotsInUse: slots })), 1);
  });

  it('counts all calls against the quota', () => {
    const view = viewOf({ limit: 2, quotaLimit: 3, slotsInUse: slots.slice(0, 2) });
    assert.equal(freeSlots(view), 1);
    const full = viewOf({ limit: 2, quotaLimit: 2, slotsInUse: slots.slice(0, 2) });
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
        fc.pre(slots < view.limit);
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
        anyView,
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 900 }),
        (view, more, ms) => {
          const lowered = { ...view, quotaLimit: view.limit + more, limitUntilMs: nowMs + ms };
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

/** Millisecond by millisecond: as long as fewer permits are out than the limit, the next call takes one. */
function simulate(view: LedgerSnapshot, count: number): number[] {
  const { nowMs, quotaLimit, limitUntilMs = Infinity, windowMs, slotsInUse, hold, reserve } = view;
  const startedAt: number[] = [];
  let freeAt = slotsInUse.map((slot) => slot.freeAtMs);
  for (let time = Math.max(nowMs, hold?.untilMs ?? 0); startedAt.length < count; time += 1) {
    const limitNow = time < limitUntilMs ? view.limit : quotaLimit;
    const isKept = () => startedAt.length >= (reserve?.criticalWaiting ?? 0);
    const limitFor = () => limitNow - (isKept() ? (reserve?.slots ?? 0) : 0);
    freeAt = freeAt.filter((ms) => ms > time);
    for (; freeAt.length < limitFor() && startedAt.length < count; freeAt.push(time + windowMs))
      startedAt.push(time);
  }
  return startedAt;
}
