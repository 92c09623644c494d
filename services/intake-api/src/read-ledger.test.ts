import assert from 'node:assert/strict';
import type { LedgerView } from '@diq/quota/ledger-replies.ts';
import { createLedgerReading } from './read-ledger.ts';

const view: LedgerView = {
  nowMs: 1_000,
  limit: 5,
  quotaLimit: 5,
  windowMs: 3_600_000,
  slotsInUse: [],
  hold: undefined,
  holdsOn: [],
  isLost: false,
};

describe('a reading of the ledger', () => {
  function reading(reserveForCritical = 0) {
    let looks = 0;
    const readings = createLedgerReading({
      look: async () => ({ ...view, nowMs: view.nowMs + looks++ }),
      countCriticalWaiting: async () => 7,
      reserveForCritical,
      maxAgeMs: 60_000,
    });
    return { ...readings, looks: () => looks };
  }

  it('is recalled and not taken again, and tells the time that has passed since', async () => {
    const { lookOrRecall, looks } = reading();
    const first = await lookOrRecall();
    const sinceMs = performance.now();
    while (performance.now() - sinceMs < 5);
    const second = await lookOrRecall();
    assert.equal(looks(), 1);
    assert.ok(second.nowMs >= first.nowMs + 5 && second.nowMs < first.nowMs + 5_000, String(second.nowMs));
  });

  it('is taken anew where the present is asked for', async () => {
    const { look, looks } = reading();
    await look();
    await look();
    assert.equal(looks(), 2);
  });

  it('tells the slots that are kept, and how many may use them, only where some are kept', async () => {
    assert.deepEqual((await reading(2).look()).reserve, { slots: 2, criticalWaiting: 7 });
    assert.equal((await reading().look()).reserve, undefined);
  });
});
