import assert from 'node:assert/strict';
import { captureLog } from '../test-support/capture-log.ts';
import { countByLabel } from '../test-support/count-by-label.ts';
import { createTestMetrics } from '../test-support/test-metrics.ts';
import { createCountDue, createOddRowReport } from './open-tenant.ts';

describe('the report of rows that cannot be read', () => {
  it('counts every one, and says so once a minute for each list', async () => {
    const { oddRows } = createTestMetrics();
    const { logger, lines } = captureLog();
    let nowMs = 0;
    const report = createOddRowReport(oddRows, logger, () => nowMs);
    for (let i = 0; i < 50; i += 1) report('alerts', { odd: 2, read: 5 });
    report('investigations', { odd: 1, read: 0 });
    nowMs = 60_000;
    report('alerts', { odd: 3, read: 5 });
    assert.deepEqual(await countByLabel(oddRows), { alerts: 103, investigations: 1 });
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      entries.map(({ list, unreadable, read }) => [list, unreadable, read]),
      [
        ['alerts', 2, 5],
        ['investigations', 1, 0],
        ['alerts', 3, 5],
      ],
    );
  });
});

describe('when the reads in use of a tenant are counted again', () => {
  it('is each time while some are of the last minute, every ten minutes while any count, and else never', () => {
    let nowMs = 0;
    const due = createCountDue(() => nowMs);
    assert.equal(due.isDue(), false);
    due.counted([1, 4]);
    assert.equal(due.isDue(), true);
    due.counted([0, 4]);
    nowMs = 599_999;
    assert.equal(due.isDue(), false);
    nowMs = 600_000;
    assert.equal(due.isDue(), true);
    due.counted([0, 0]);
    nowMs = 10 * 3_600_000;
    assert.equal(due.isDue(), false);
  });
});
