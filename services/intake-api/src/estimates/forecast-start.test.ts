import assert from 'node:assert/strict';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import {
  byQuotaAlone,
  createLedgerReading,
  forecastStartMs,
  isoTime,
  startNotBeforeMs,
} from './forecast-start.ts';

const view: LedgerSnapshot = {
  nowMs: 1_000,
  limits: oneLimit(5, 3_600_000),
  slotsInUse: [],
  hold: undefined,
  holdsOn: [],
  isLost: false,
};

describe('a reading of the ledger', () => {
  function reading(reserveForCritical = 0) {
    let snapshots = 0;
    const readings = createLedgerReading({
      snapshot: async () => ({ ...view, nowMs: view.nowMs + snapshots++ }),
      countCriticalWaiting: async () => 7,
      reserveForCritical,
      maxAgeMs: 60_000,
    });
    return { ...readings, snapshots: () => snapshots };
  }

  it('is recalled and not taken again, and tells the time that has passed since', async () => {
    const { snapshotOrRecall, snapshots } = reading();
    const first = await snapshotOrRecall();
    const sinceMs = performance.now();
    while (performance.now() - sinceMs < 5);
    const second = await snapshotOrRecall();
    assert.equal(snapshots(), 1);
    assert.ok(second.nowMs >= first.nowMs + 5 && second.nowMs < first.nowMs + 5_000, String(second.nowMs));
  });

  it('is taken anew where the present is asked for', async () => {
    const { snapshot, snapshots } = reading();
    await snapshot();
    await snapshot();
    assert.equal(snapshots(), 2);
  });

  it('tells how many calls run only where Defender runs so many at once', async () => {
    const { snapshot } = createLedgerReading({
      snapshot: async () => view,
      countCriticalWaiting: async () => 0,
      reserveForCritical: 0,
      running: { most: 25, count: async () => 3 },
      maxAgeMs: 60_000,
    });
    assert.deepEqual((await snapshot()).running, { now: 3, most: 25 });
    assert.equal((await reading().snapshot()).running, undefined);
  });

  it('tells the slots that are kept, and how many may use them, only where some are kept', async () => {
    assert.deepEqual((await reading(2).snapshot()).reserve, { slots: 2, criticalWaiting: 7 });
    assert.equal((await reading().snapshot()).reserve, undefined);
  });
});

describe('the time of a start', () => {
  it('is unknown while as many calls run as Defender runs at once, but not before the next slot', () => {
    const full = { ...view, running: { now: 25, most: 25 } };
    assert.deepEqual([forecastStartMs(full, 1), startNotBeforeMs(full)], [undefined, view.nowMs]);
    const room = { ...view, running: { now: 24, most: 25 } };
    assert.deepEqual([forecastStartMs(room, 1), startNotBeforeMs(room)], [view.nowMs, undefined]);
    assert.equal(forecastStartMs(byQuotaAlone(full), 1), view.nowMs);
  });
});

describe('a time in answers', () => {
  it('is ISO 8601 in UTC', () => {
    assert.equal(isoTime(Date.UTC(2026, 10, 30, 8)), '2026-11-30T08:00:00.000Z');
  });

  it('is left out when its year has more than four digits', () => {
    assert.equal(isoTime(Date.UTC(9999, 11, 31, 23, 59, 59, 999)), '9999-12-31T23:59:59.999Z');
    assert.equal(isoTime(Date.UTC(10_000, 0, 1)), undefined);
    assert.equal(isoTime(Number.MAX_SAFE_INTEGER), undefined);
  });
});
